#!/usr/bin/env bash
# Adds users to Mosquitto's password file, each with a password of 192 random bits that is shown
# once. There is no default user and no default password.
#
#   make-passwords.sh FILE USER…
#
# A user that is there already keeps its password; --renew USER… gives new ones. The file's mode is
# 0600: run this as the user that runs Mosquitto, or give the file to that user.
set -euo pipefail

renew=
if [ "${1-}" = --renew ]; then
    renew=yes
    shift
fi
[ $# -ge 2 ] || {
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
file=$1
shift
command -v mosquitto_passwd >/dev/null || {
    echo "make-passwords.sh needs mosquitto_passwd, which comes with Mosquitto." >&2
    exit 1
}

umask 077
mkdir -p "$(dirname "$file")"
[ -e "$file" ] || : >"$file"
for user in "$@"; do
    case $user in
        *[!A-Za-z0-9._-]* | '')
            echo "A user's name has letters, digits, . _ and - only, as it is part of topics: $user" >&2
            exit 1
            ;;
    esac
    if [ -z "$renew" ] && cut -d: -f1 "$file" | grep -qxF -- "$user"; then
        echo "$user keeps its password" >&2
        continue
    fi
    password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
    # From a file and not as an argument, which every process of the machine can read.
    entry=$(mktemp "$file.XXXXXX")
    printf '%s:%s\n' "$user" "$password" >"$entry"
    mosquitto_passwd -U "$entry"
    { awk -F: -v user="$user" '$1 != user' "$file" && cat "$entry"; } >"$entry.all"
    # In one step: a Mosquitto that reads it now sees the old file or the new one.
    mv "$entry.all" "$file"
    rm -f "$entry"
    printf '%s %s\n' "$user" "$password"
done
