"""The words of pictures and tables, English and Portuguese."""

from __future__ import annotations

LANGUAGES = ("en", "pt")
WORDS: dict[str, tuple[str, str]] = {
    "hours": ("hours", "horas"),
    "minutes": ("minutes", "minutos"),
    "accepted": ("accepted by all regions, readings/s", "aceitas por todas as regiões, leituras/s"),
    "lag": ("oldest reading at an edge, hours", "leitura mais antiga em uma borda, horas"),
    "lag-minutes": (
        "oldest reading at an edge, minutes",
        "leitura mais antiga em uma borda, minutos",
    ),
    "edges": ("held by all edges, million readings", "retidas em todas as bordas, milhões"),
    "unmirrored": (
        "taken by the region and not mirrored yet, thousand readings",
        "aceitas pela região e ainda não espelhadas, milhares",
    ),
    "lost": ("lost, thousand readings", "perdidas, milhares de leituras"),
    "lost-million": ("lost, million readings", "perdidas, milhões de leituras"),
    "buffer": ("hours that an edge can hold", "horas que uma borda consegue reter"),
    "cut-6h": (
        "The lines of one region are cut for 6 hours",
        "As linhas de uma região são cortadas por 6 horas",
    ),
    "cut-72h": (
        "The lines of one region are cut for 72 hours",
        "As linhas de uma região são cortadas por 72 horas",
    ),
    "region-lost": (
        "A region is lost at minute 5; its plants reach the next one 2 minutes later",
        "Perde-se uma região no minuto 5; suas plantas alcançam a próxima 2 minutos depois",
    ),
    "herd": (
        "A region's plants come back at once after an hour",
        "As plantas de uma região voltam de uma vez depois de uma hora",
    ),
    "buffers": (
        "72 hours without a line: where loss begins",
        "72 horas sem linha: onde a perda começa",
    ),
    "h-cut": ("cut", "corte"),
    "h-fullest": ("fullest edge", "borda mais cheia"),
    "h-accepted": ("most accepted", "máximo aceito"),
    "h-caught": ("caught up after", "em dia depois de"),
    "h-lost": ("lost", "perdidas"),
    "h-headroom": ("region planned at", "região planejada com"),
    "h-again": ("edges send again", "bordas reenviam"),
    "h-lag": ("oldest at an edge", "mais antiga em uma borda"),
    "h-buffer": ("an edge holds", "uma borda retém"),
    "h-share": ("of the cut's readings", "das leituras do corte"),
    "h-quantity": ("a month of 1 M sensors", "um mês de 1 M de sensores"),
    "h-amount": ("how much", "quanto"),
    "h-price": ("assumed price", "preço suposto"),
    "h-month": ("US$ a month", "US$ por mês"),
    "q-readings": ("readings", "leituras"),
    "q-in": ("sent by the plants, before TLS", "enviado pelas plantas, antes do TLS"),
    "q-edge": ("held by a plant's edge, an hour of a cut", "retido na borda, por hora de corte"),
    "q-cores": (
        "cores: one for each gateway and writer, one for a stack's others, InfluxDB's; not Kafka's",
        "núcleos: um por gateway e writer, um para o resto, os do InfluxDB; sem o Kafka",
    ),
    "q-memory": ("memory of our processes", "memória dos nossos processos"),
    "q-kafka": ("Kafka: 7 days, 3 copies", "Kafka: 7 dias, 3 cópias"),
    "q-store": ("InfluxDB: a year, in 2 regions", "InfluxDB: um ano, em 2 regiões"),
    "q-mirror": ("mirrored to another region", "espelhado a outra região"),
    "q-backup": ("backup of a year", "cópia de segurança de um ano"),
    "q-sum": ("**sum**", "**soma**"),
    "never": ("never", "nunca"),
    "nothing": ("nothing", "nada"),
    "the last": ("the last", "os últimos"),
    "readings": ("readings", "leituras"),
}


def word(name: str, language: str) -> str:
    return WORDS[name][LANGUAGES.index(language)]


def whole(count: float, language: str) -> str:
    return local(f"{count:,.0f}", language)


def local(text: str, language: str) -> str:
    """An English number as that language writes it."""
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


def lasted(seconds: float | None, language: str) -> str:
    if seconds is None:
        return word("never", language)
    if seconds >= 2 * 3_600:
        return local(f"{seconds / 3_600:.1f}", language) + " h"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
