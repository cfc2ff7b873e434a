"""What a service allows: one frozen object, made at the edge and passed down whole."""

from dataclasses import dataclass, field, fields

from sentilab.errors import SettingsError

# Shorter keys could be guessed over a network.
LEAST_KEY = 16


@dataclass(frozen=True)
class ServiceSettings:
    """Limits, batching and access of a service. Sizes in bytes, characters (code points) or texts.

    ``queue_texts`` bounds the texts that wait for a model; ``queue_words`` bounds the words of texts
    that wait to be explained, each of which costs about one text; ``queue_bytes`` bounds all request
    bodies held at once. ``wait_ms`` is how long a batch may wait for company. ``drain_seconds`` is how
    long /ready says no before a terminated service stops listening.

    With ``keys`` a request needs one of them. ``hosts`` are the names that a request's Host header
    may have (None: any). ``origins`` are the other web origins that browsers may call from.

    Raises SettingsError for what makes no sense.
    """

    text_characters: int = 100_000
    texts_per_request: int = 256
    body_bytes: int = 2 << 20
    body_seconds: float = 10.0
    answer_seconds: float = 10.0
    batch_texts: int = 64
    wait_ms: float = 2.0
    queue_texts: int = 512
    queue_words: int = 2_048
    queue_bytes: int = 64 << 20
    connections: int = 1_000
    drain_seconds: float = 1.0
    shutdown_seconds: float = 30.0
    keys: tuple[str, ...] = field(default=(), repr=False)
    hosts: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    log_requests: bool = True
    log_texts: bool = False

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.type is int and value < 1:
                raise SettingsError(f"{one.name} is {value}; it must be at least 1.")
            if one.type is float:
                least = 0.0 if one.name in ("wait_ms", "drain_seconds") else 0.001
                if not least <= value <= 3_600:
                    raise SettingsError(
                        f"{one.name} is {value}; it must be between {least:g} and 3,600."
                    )
        if self.queue_texts < self.texts_per_request:
            raise SettingsError(
                f"queue_texts ({self.queue_texts}) is below texts_per_request "
                f"({self.texts_per_request}): the largest request could never be accepted."
            )
        if self.queue_bytes < self.body_bytes:
            raise SettingsError(
                f"queue_bytes ({self.queue_bytes}) is below body_bytes ({self.body_bytes}): the "
                "largest request could never be accepted."
            )
        for key in self.keys:
            # The key itself is never part of a message.
            if len(key) < LEAST_KEY or not all("!" <= character <= "~" for character in key):
                raise SettingsError(
                    f"An API key must have at least {LEAST_KEY} characters, ASCII and no spaces.\n"
                    '  Make one with: python -c "import secrets; print(secrets.token_urlsafe())"'
                )
        for origin in self.origins:
            scheme, separator, host = origin.partition("://")
            if scheme not in ("http", "https") or not separator or not host or "/" in host:
                raise SettingsError(
                    f'"{origin}" is not an origin; name it as in https://example.org or '
                    "http://localhost:5173 (scheme, host and port, no path)."
                )
