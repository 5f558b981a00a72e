"""`bench hub`: the server that registered runners poll, and the tokens that open it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bench.cli.options import db_option, json_option


@click.group(
    epilog="Examples:  bench hub serve   |   bench hub serve --host 192.168.1.5   |   bench hub token create laptop"
)
def hub() -> None:
    """Run the hub that hands measurements to registered runners, and make tokens for it.

    A search or a measurement starts one by itself while it needs it; a hub that runs on its own is there for agents at
    any time, and for several commands at once.
    """


@hub.command(
    epilog="Examples:  bench hub serve   |   bench hub serve --host 192.168.1.5   |   bench hub serve --host 0.0.0.0 "
    "--tls-cert hub.pem --tls-key hub.key --url https://hub.example.org:8741"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of this machine to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8741, show_default=True, help="Port to listen on.")
@click.option(
    "--tls-cert",
    "certificate",
    type=click.Path(path_type=Path),
    help="PEM certificate [default: one that is made here].",
)
@click.option("--tls-key", "key", type=click.Path(path_type=Path), help="Its key, without a password.")
@click.option(
    "--insecure-behind-proxy", "is_behind_proxy", is_flag=True, help="Plain HTTP: a proxy in front of it does the TLS."
)
@click.option("--url", help="Where others reach it, where that is not host and port; a proxy's is needed.")
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    help="Days for which a job and its result are kept after its client has the result [default: 14].",
)
@db_option
@json_option
def serve(
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    is_behind_proxy: bool,
    url: str | None,
    keep_days: float | None,
    db: str | None,
    as_json: bool,
) -> None:
    """Answer agents and commands until Ctrl-C.

    On 127.0.0.1 it speaks plain HTTP, to this machine alone. On any other address it needs TLS: a certificate of yours,
    or one that it makes and whose fingerprint comes with each enrolment. What is given here holds later for hubs inside
    searches and measurements of the same database too.
    """
    from dataclasses import asdict

    from bench.errors import ConfigError
    from bench.fleet.address import parse_address
    from bench.fleet.folder import RunningHub, fleet_folder
    from bench.fleet.settings import HubSettings, keep_settings

    if (certificate is None) is not (key is None):
        raise ConfigError("--tls-cert and --tls-key belong together; one was given; give both files, or neither")
    if is_behind_proxy and certificate is not None:
        raise ConfigError("--insecure-behind-proxy with --tls-cert; either the proxy does the TLS or the hub; drop one")
    if is_behind_proxy and url is None:
        raise ConfigError(
            "--insecure-behind-proxy without --url; agents are told where the proxy answers; add --url https://HOST"
        )
    address = None if url is None else parse_address(url)
    if address is not None and address.url.startswith("http://") and not address.is_loopback:
        raise ConfigError(f"--url {address.url} is plain HTTP, which no agent speaks over a network; give https://HOST")
    settings = HubSettings(
        host=host,
        port=port,
        certificate=None if certificate is None else str(certificate.expanduser().resolve()),
        key=None if key is None else str(key.expanduser().resolve()),
        is_behind_proxy=is_behind_proxy,
        url=None if address is None else str(address),
        keep_days=keep_days,
    )
    folder = fleet_folder(db)

    def tell(running: RunningHub) -> None:
        keep_settings(folder, settings)
        if as_json:
            click.echo(json.dumps(asdict(running)))
            return
        click.echo(f"the hub answers at {running.url} (process {running.pid}); Ctrl-C ends it")
        if running.fingerprint is not None:
            click.echo(f"its certificate is its own, sha256:{running.fingerprint}; agents get that when they enrol")
        click.echo(f"register a runner:  bench runners register NAME{_where(db)}")

    from bench.fleet.server import HubServer

    HubServer(folder, db, **settings.arguments()).serve_forever(tell)


@hub.group(epilog="Examples:  bench hub token create laptop   |   bench hub token list   |   bench hub token revoke 3")
def token() -> None:
    """Make, list and revoke tokens, for commands on other machines."""


@token.command("create", epilog="Example:  bench hub token create laptop")
@click.argument("name", metavar="NAME")
@click.option(
    "--kind",
    type=click.Choice(["client", "admin"]),
    default="client",
    show_default=True,
    help="client measures and sees its own jobs; admin does everything.",
)
@db_option
@json_option
def create_token(name: str, kind: str, db: str | None, as_json: bool) -> None:
    """Make a token for whoever is called NAME, and show it this once."""
    from bench.fleet.embedding import TOKEN_VARIABLE, VARIABLE, hub_client

    with hub_client(db) as client:
        number, text = client.add_token(kind, name)
        address = client.address
    if as_json:
        click.echo(json.dumps({"id": number, "kind": kind, "name": name, "token": text, "hub": str(address)}))
        return
    click.echo(f"token {number} of kind {kind}; it is shown this once:  {text}")
    click.echo(f"elsewhere, in the environment:  {VARIABLE}='{address}' {TOKEN_VARIABLE}='{text}'")
    if address.is_loopback:
        click.echo("this hub answers on this machine only; for others start:  bench hub serve --host ADDRESS")


@token.command("list", epilog="Example:  bench hub token list")
@db_option
@json_option
def list_tokens(db: str | None, as_json: bool) -> None:
    """List tokens, those of agents and the revoked ones too; never what they are."""
    from bench.fleet.embedding import hub_client
    from bench.report.tables import table

    with hub_client(db) as client:
        tokens = client.tokens()
    if as_json:
        click.echo(json.dumps([dict(found) for found in tokens]))
        return
    rows = [
        (found["name"], str(found["id"]), found["kind"], _minute(found["created_at"]), _minute(found["revoked_at"]))
        for found in tokens
    ]
    click.echo(table(("name", "id", "kind", "made (UTC)", "revoked (UTC)"), rows))


@token.command("revoke", epilog="Example:  bench hub token revoke 3")
@click.argument("number", metavar="ID", type=click.IntRange(1))
@db_option
def revoke_token(number: int, db: str | None) -> None:
    """Make the token with this ID (bench hub token list) open nothing any more."""
    from bench.fleet.embedding import hub_client

    with hub_client(db) as client:
        client.revoke_token(number)
    click.echo(f"token {number} is revoked")


def _minute(moment: str | None) -> str:
    """Of a time in ISO format, as UTC."""
    return "-" if moment is None else moment[:16].replace("T", " ")


def _where(db: str | None) -> str:
    import shlex

    return f" --db {shlex.quote(db)}" if db else ""
