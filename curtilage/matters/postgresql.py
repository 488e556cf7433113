"""A matter directory in PostgreSQL, for several gateways that share one. Named by a file in the place of an SQLite one::

    postgresql:
      address: 192.0.2.51                 # over TLS, checked against the CA and this address; or
      # socket: /run/postgresql           # a directory with a Unix socket of this host
      port: 5432                          # optional
      database: curtilage
      user: curtilage-gateway
      ca: /etc/curtilage/ca.pem           # with address
      certificate: /etc/curtilage/gateway-client.pem    # optional, with key: how this gateway proves who it is
      key: /etc/curtilage/gateway-client.key
      password_file: /etc/curtilage/matters.password    # optional, in the place of a certificate
      answer_seconds: 1.0                 # optional: the longest that a statement may take

Everything is in the schema ``curtilage``. A row there counts every change to any table, whoever makes it, within the change's own
transaction; it is asked for at each call, and the directory is read again when it has moved.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curtilage.errors import ConfigError, CurtilageError, StepError
from curtilage.inside import is_inside
from curtilage.matters.schema import SCHEMA, SCHEMA_VERSION, UPGRADE
from curtilage.matters.store import Clash, DirectoryUnavailable, Execute, Rows, Store, Value

try:
    import psycopg
except ImportError as error:
    raise ConfigError(
        "psycopg is not installed", rule="PostgreSQL is asked through psycopg", fix="install curtilage[postgresql]", key="matters"
    ) from error

_CONNECT_SECONDS = 2
_AWAY_SECONDS = 0.5
"""How long a database that was just found away is not tried again: calls are refused at once meanwhile."""
_SWEEP_SECONDS = 60.0
_TABLES = ("identities", "keys", "matters", "memberships", "walls", "changes", "subjects", "grants", "terms")
_WORDS = {
    r"INTEGER PRIMARY KEY AUTOINCREMENT": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    r"\bBLOB\b": "BYTEA",
    r"\bREAL\b": "DOUBLE PRECISION",
    r"\) STRICT": ")",
}
_GUARDS = """
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), schema_version INTEGER NOT NULL, revision BIGINT NOT NULL);
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'changes are append-only'; END $$;
CREATE TRIGGER changes_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON changes FOR EACH STATEMENT EXECUTE FUNCTION keep();
CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN UPDATE curtilage.state SET revision = revision + 1; RETURN NULL; END $$;
"""
_MOVES = "CREATE TRIGGER moves AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION moves()"
_STATE = "SELECT revision, schema_version FROM state"


class Postgresql(BaseModel):
    """Which database, how it is reached, and as whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: IPv4Address | IPv6Address | None = None
    socket: Path | None = None
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 5432
    database: Annotated[str, Field(min_length=1)]
    user: Annotated[str, Field(min_length=1)]
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    password_file: Path | None = None
    answer_seconds: Annotated[float, Field(ge=0.1, le=10)] = 1.0

    @model_validator(mode="after")
    def _way_is_safe(self) -> Self:
        if (self.address is None) == (self.socket is None):
            raise ValueError("either address or socket says where it is")
        if self.address is not None and not is_inside(self.address):
            raise ValueError(f"{self.address} is not a private, loopback or documentation address; a directory stands inside")
        if self.address is not None and self.ca is None:
            raise ValueError("an address is reached over TLS alone, so ca names who vouches for it")
        if self.socket is not None and (self.ca or self.certificate or self.key):
            raise ValueError("a Unix socket has no TLS: ca, certificate and key belong to an address")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key are given together")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    postgresql: Postgresql


def read_settings(path: Path) -> Postgresql:
    """What such a file says; relative paths are relative to it. Raises :class:`ConfigError` with the key and the rule."""
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).postgresql
    except OSError as error:
        raise ConfigError(
            f"cannot read it: {error.strerror}", rule="it says where the matter directory is", fix="check the path and its mode", file=path
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("not YAML", rule="it is one YAML document with the key postgresql", fix="correct it", file=path) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "postgresql"
        rule = "see the format in curtilage/matters/postgresql.py; unknown keys are refused"
        raise ConfigError(first["msg"], rule=rule, fix=f"correct {key}", file=path, key=key) from error
    base = path.resolve().parent
    return found.model_copy(update={name: base / value for name, value in found if isinstance(value, Path)})


def _parameters(settings: Postgresql) -> dict[str, Any]:
    """Every parameter that decides where a connection goes and how safe it is, so that no variable of libpq's fills one in."""
    milliseconds = int(settings.answer_seconds * 1000)
    bounds = "".join(f" -c {name}={milliseconds}" for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"))
    shared = {
        "port": settings.port,
        "dbname": settings.database,
        "user": settings.user,
        "password": settings.password_file.read_text(encoding="utf-8").strip() if settings.password_file else "",
        "passfile": "/dev/null/none",  # no file of this user's own
        "require_auth": "scram-sha-256,none",  # a certificate, or the socket's peer; a password never leaves in clear
        "gssencmode": "disable",
        "target_session_attrs": "primary",  # a replica says later that a key is revoked
        "connect_timeout": _CONNECT_SECONDS,
        "application_name": "curtilage",
        "options": f"-c search_path=curtilage{bounds}",
    }
    if settings.socket is not None:
        return {**shared, "host": str(settings.socket), "hostaddr": "", "sslmode": "disable"}
    return {
        **shared,
        "host": str(settings.address),
        "hostaddr": str(settings.address),
        "sslmode": "verify-full",
        "sslrootcert": str(settings.ca),
        "ssl_min_protocol_version": "TLSv1.2",
        "sslcertmode": "allow" if settings.certificate else "disable",
        "sslcert": str(settings.certificate or ""),
        "sslkey": str(settings.key or ""),
        "tcp_user_timeout": milliseconds,
    }


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for no answer longer than it may: a server that hangs does not keep its own statement timeout."""

    seconds = 1.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.seconds if timeout is None else timeout)


class PostgresStore(Store):
    """One database.

    Args:
        path: the file that says which.
        create: make the tables when they are missing; a gateway never does.
    """

    waits: ClassVar[bool] = True

    def __init__(self, path: Path, *, create: bool) -> None:
        self.place, self._settings = path, read_settings(path)
        self._open: _Connection | None = None
        self._away_until = 0.0
        with self._answers() as connection:
            made = connection.execute("SELECT to_regclass('curtilage.state') IS NOT NULL").fetchone() == (True,)
            if not made and create:
                self._create(connection)
            elif not made:
                raise ConfigError(
                    f"database {self._settings.database!r} holds no directory",
                    rule="the gateway opens an existing matter directory",
                    fix="curtilage gateway matters add …, as the database's owner",
                    file=path,
                )
            found = connection.execute(_STATE).fetchone()
        if found is None or found[1] != SCHEMA_VERSION:
            raise ConfigError(
                f"schema version {found and found[1]}",
                rule=f"this release reads version {SCHEMA_VERSION}",
                fix="curtilage gateway matters upgrade --db FILE",
                file=path,
            )

    def _create(self, connection: _Connection) -> None:
        text = ";".join((SCHEMA, *UPGRADE))
        for theirs, ours in _WORDS.items():
            text = re.sub(theirs, ours, text)
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('curtilage'))")
            if connection.execute("SELECT to_regclass('curtilage.state')").fetchone() != (None,):
                return  # somebody else was quicker
            connection.execute("CREATE SCHEMA IF NOT EXISTS curtilage")
            connection.execute(cast("Any", text + ";" + _GUARDS + ";".join(map(_MOVES.format, _TABLES))))
            connection.execute("INSERT INTO state VALUES (1, %s, 0)", (SCHEMA_VERSION,))

    # ---- the connection

    def _connect(self) -> _Connection:
        if self._open is not None and not self._open.closed:
            return self._open
        if time.monotonic() < self._away_until:
            raise DirectoryUnavailable("its database was away a moment ago", place=self.place)
        try:
            self._open = _Connection.connect(autocommit=True, **_parameters(self._settings))
        except (OSError, UnicodeDecodeError) as error:
            raise DirectoryUnavailable(f"its password cannot be read: {type(error).__name__}", place=self.place) from error
        # The server ends a statement first, where it can; this end only where the server does not.
        self._open.seconds = self._settings.answer_seconds + 0.25
        return self._open

    @contextmanager
    def _answers(self) -> Iterator[_Connection]:
        """A connection, and every failure of it as one of ours; one that may be in a bad state is not used again."""
        try:
            yield self._connect()
        except psycopg.IntegrityError as error:
            raise Clash(_said(error)) from error
        except psycopg.DataError as error:
            raise ConfigError(_said(error), rule="text that PostgreSQL can keep", fix="take out what it names", file=self.place) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(
                _said(error),
                rule=f"user {self._settings.user!r} may do what it asks for",
                fix="a gateway's user may only read; change the directory as its owner",
                file=self.place,
            ) from error
        except psycopg.Error as error:
            self._drop()
            self._away_until = time.monotonic() + _AWAY_SECONDS
            raise DirectoryUnavailable(_said(error), place=self.place) from error

    def _drop(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    # ---- what a store does

    def version(self) -> tuple[int, ...]:
        if self._open is not None:
            try:  # a database that was started again has closed this connection, and answers on a new one
                return self._ask(self._open)
            except psycopg.Error as error:
                lost = isinstance(error, psycopg.OperationalError) and self._open.closed
                self._drop()
                if not lost:
                    self._away_until = time.monotonic() + _AWAY_SECONDS
                    raise DirectoryUnavailable(_said(error), place=self.place) from error
        with self._answers() as connection:
            return self._ask(connection)

    def _ask(self, connection: _Connection) -> tuple[int, ...]:
        row = connection.execute(_STATE).fetchone()
        if row is None or row[1] != SCHEMA_VERSION:
            raise DirectoryUnavailable(f"its schema is not version {SCHEMA_VERSION}", place=self.place)
        # With the connection's own number: after a fail-over the count may stand where it stood.
        return (int(row[0]), connection.pgconn.backend_pid)

    @contextmanager
    def reading(self) -> Iterator[Execute]:
        with self._answers() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield _execute(connection)

    @contextmanager
    def writing(self) -> Iterator[Execute]:
        with self._answers() as connection, connection.transaction():
            # One writer at a time, or two changes would name the same one as the one before them.
            connection.execute("LOCK TABLE changes IN EXCLUSIVE MODE")
            yield _execute(connection)

    def sweep(self) -> None:
        refused: list[str] = []
        try:
            with self._answers() as connection:
                connection.seconds = _SWEEP_SECONDS
                connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
                connection.add_notice_handler(lambda notice: refused.append(notice.message_primary or "not done"))
                # A changed row's earlier version stays in its file until then.
                connection.execute("VACUUM (FULL) matters")
                connection.execute("VACUUM (FULL) terms")
        except (CurtilageError, Clash) as error:
            refused.append(str(error))
        self._drop()
        if refused:
            fix = "VACUUM (FULL) curtilage.matters, curtilage.terms, as their owner"
            raise StepError("overwrite what was there before", "; ".join(refused), fix=fix)

    def close(self) -> None:
        self._drop()


def _execute(connection: _Connection) -> Execute:
    def execute(statement: str, values: Sequence[Value] = (), /) -> Rows:
        return connection.execute(cast("Any", statement.replace("?", "%s")), [_plain(value) for value in values])

    return execute


def _plain(value: Value) -> Value:
    """As the tables hold it: truth as 0 or 1, and a word of a closed set as its text."""
    return int(value) if isinstance(value, bool) else str(value) if isinstance(value, str) else value


def _said(error: psycopg.Error) -> str:
    """The server's sentence without its details, which may quote a row; or this end's own."""
    return (error.diag.message_primary or str(error) or type(error).__name__).strip().replace("\n", "; ")
