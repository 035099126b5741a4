#!/bin/sh
# Makes the secrets of compose.yaml in secrets/ beside this script, or in the folder that is named.
# What is there is kept: run again, it makes only what is missing.
#
#     make-secrets.sh [FOLDER]
#     make-secrets.sh --device NAME     lets one more device in at Mosquitto and prints its password,
#                                       then: docker compose restart mosquitto
#
# Only you can enter the folder (0700). Its files are readable by all (0444), because docker mounts
# them as they are, and the users in the containers are not you.
set -eu

device=
if [ "${1-}" = --device ]; then
    device=${2:?which device?}
    shift 2
fi
folder=${1:-$(dirname "$0")/secrets}
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"

# secret NAME TEXT: without a line end, which some readers would take as part of it.
secret() {
    [ -s "$folder/$1" ] && return
    rm -f "$folder/$1.new"
    printf '%s' "$2" >"$folder/$1.new"
    chmod 0444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
}

# 192 bits as hexadecimal digits: they need no quoting in a URL or a configuration file.
random() { head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

for name in kafka-password influxdb-password mongodb-password admin-token; do
    secret $name "$(random)"
done

kafka=$(cat "$folder/kafka-password")
influxdb=$(cat "$folder/influxdb-password")
mongodb=$(cat "$folder/mongodb-password")

# Each is the value of a setting of PipeWatcher, which holds a password.
# Four partitions: as many writers can share the work, and one broker has to sync each of them.
secret commit-log "kafka://pipewatcher:$kafka@kafka:9092/readings?security=sasl_plaintext&partitions=4"
secret readings "influxdb://pipewatcher:$influxdb@influxdb:8086/pipewatcher"
secret registry "mongodb://pipewatcher:$mongodb@mongodb:27017/pipewatcher?authSource=admin"

secret mosquitto-users "pipewatcher:$(random)
"
mqtt=$(sed -n 's/^pipewatcher://p' "$folder/mosquitto-users")
secret mqtt-broker "mqtt://pipewatcher:$mqtt@mosquitto:1883/plant/#"

login='org.apache.kafka.common.security.plain.PlainLoginModule'
secret kafka-ui.yaml "auth:
  type: LOGIN_FORM
spring:
  security:
    user:
      name: admin
      password: $kafka
kafka:
  clusters:
    - name: pipewatcher
      bootstrapServers: kafka:9092
      properties:
        security.protocol: SASL_PLAINTEXT
        sasl.mechanism: PLAIN
        sasl.jaas.config: '$login required username=\"pipewatcher\" password=\"$kafka\";'
"

if [ -n "$device" ]; then
    case $device in
        *[!A-Za-z0-9._-]*) echo "A device's name is part of topics: letters, digits, . _ - only" >&2; exit 1 ;;
    esac
    users="$folder/mosquitto-users"
    if cut -d: -f1 "$users" | grep -qxF -- "$device"; then
        echo "$device is there already" >&2
        exit 1
    fi
    password=$(random)
    { cat "$users" && printf '%s:%s\n' "$device" "$password"; } >"$users.new"
    chmod 0444 "$users.new"
    mv "$users.new" "$users"
    echo "$device may write below plant/$device/; its password: $password"
    exit
fi

echo "The secrets are in $folder. The administrator's token is in $folder/admin-token;"
echo "the UI for Kafka wants the user admin and what is in $folder/kafka-password."
