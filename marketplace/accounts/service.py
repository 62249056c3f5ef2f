"""Becoming somebody here: accounts, sign-in, sessions, and the operator's link.

Hashing a password takes about 150 ms and one of two seats. It is done after the attempt is counted,
and between two writing sessions: inside of one, every other writer of a SQLite store would wait.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, delete, select

from marketplace.accounts import limits, passwords, sessions, tokens
from marketplace.accounts.credentials import fingerprint, new_secret
from marketplace.accounts.models import LONGEST_EMAIL, Account, SetupLink
from marketplace.accounts.sessions import Visitor
from marketplace.infra.db import Database
from marketplace.kernel.errors import Invalid, NotFound
from marketplace.kernel.ids import AccountId
from marketplace.web import i18n, theme
from marketplace.web.i18n import gettext as _
from marketplace.web.templating import send_letter

SETUP_LINK_S = 24 * 3600
# https://html.spec.whatwg.org/#valid-e-mail-address, what browsers check too
EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*"
)
HOUSE_ID = AccountId(UUID(int=1))
HOUSE_EMAIL = "caravan@store.invalid"


class BadEmail(Invalid):
    """The text is no e-mail address."""


class EmailTaken(Invalid):
    """Another account has this e-mail address."""


class WrongPassword(Invalid):
    """The e-mail and the password do not belong together."""


class UnknownLocale(Invalid):
    """This store does not speak the language."""


class NoAccount(NotFound):
    """No account has this id."""


class BadSetupLink(NotFound):
    """The link was used, is too old, or never existed."""


@dataclass(frozen=True)
class SignedIn:
    """An account, and the secret of the session that was just opened for it."""

    account: Account
    secret: str


def normalised_email(text: str) -> str:
    """The address in small letters, without blanks around it. Raises: BadEmail."""
    email = text.strip().lower()
    if len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email):
        message = _("Write the e-mail address like name@example.org.")
        raise BadEmail(message, fields={"email": message})
    return email


def sign_up(
    database: Database, *, email: str, name: str, password: str, visitor: Visitor, now: datetime
) -> SignedIn:
    """Make an account, sign it in and welcome it by letter.

    Raises: BadEmail, WeakPassword, EmailTaken, TooManyAttempts, TooManyHashes.
    Effects: uses sessions of its own, as `sign_in` does, and for the same reasons.
    """
    address = normalised_email(email)
    passwords.accept(password, email=address)
    with database.writing() as session:
        limits.count(session, _by_address("sign-up", visitor), limits.SIGN_UP_BY_ADDRESS, now=now)
    with database.reading() as session:
        _check_free(session, address)
    password_hash = passwords.hashed(password)
    with database.writing() as session:
        account = _new_account(
            session, email=address, name=name, password_hash=password_hash, created_at=now
        )
        # The letter does not name them: anybody could use the name to send words to others.
        send_letter(session, "welcome", to=address)
        secret = sessions.open_session(session, account.id, visitor=visitor, now=now)
    return SignedIn(account, secret)


def _by_address(kind: str, visitor: Visitor) -> str:
    return limits.subject(kind, limits.network(visitor.address))


def _check_free(session: Session, email: str) -> None:
    if session.exec(select(Account.id).where(Account.email == email)).first() is not None:
        raise _taken()


def _taken() -> EmailTaken:
    message = _("There is already an account with this e-mail address. Sign in instead.")
    return EmailTaken(message, fields={"email": message})


def _new_account(session: Session, *, email: str, **given: Any) -> Account:
    _check_free(session, email)
    account = Account(email=email, locale=i18n.current_locale(), **given)
    session.add(account)
    try:
        session.flush()  # rows that point at the account need it in the database first
    except IntegrityError:
        # Somebody signed up with the same address at this very moment.
        raise _taken() from None
    return account


def sign_in(
    database: Database, *, email: str, password: str, visitor: Visitor, now: datetime
) -> SignedIn:
    """Check a password and open a session.

    It uses three short steps of its own instead of the request's session: the attempt is kept
    although the answer may be an error, and nothing is held while the password is checked.

    Raises: WrongPassword, TooManyAttempts, TooManyHashes. An unknown address takes as long as a
    wrong password and gives the same answer.
    """
    address = email.strip().lower()
    network = limits.network(visitor.address)
    by_both = limits.subject("sign-in e-mail and address", f"{address} {network}")
    by_email = limits.subject("sign-in e-mail", address)
    by_address = _by_address("sign-in address", visitor)
    with database.writing() as session:
        limits.count(session, by_both, limits.SIGN_IN_BY_EMAIL_AND_ADDRESS, now=now)
        limits.count(session, by_email, limits.SIGN_IN_BY_EMAIL, now=now)
        limits.count(session, by_address, limits.SIGN_IN_BY_ADDRESS, now=now)
        found = session.exec(
            select(Account).where(Account.email == address, col(Account.is_closed).is_(False))
        ).first()
    is_right = passwords.matches(password, found.password_hash if found else None)
    if found is None or not is_right:
        message = _("This e-mail address and password do not belong together.")
        raise WrongPassword(message, fields={"password": message})
    with database.writing() as session:
        # Only what was tried from here on this account: neither a guesser's own account nor a
        # person who comes by meanwhile frees the guesser.
        limits.forgive(session, by_both)
        return SignedIn(found, sessions.open_session(session, found.id, visitor=visitor, now=now))


def change_password(
    database: Database, account_id: AccountId, *, present: str, new: str, secret: str, now: datetime
) -> None:
    """Give an account a new password; its API tokens end, and its sessions in other browsers.

    Args:
        secret: of the session that asks; it goes on.
    Raises: WrongPassword, WeakPassword, TooManyAttempts, TooManyHashes, NoAccount.
    Effects: uses sessions of its own, as `sign_in` does, and for the same reasons.
    """
    account = vouch(database, account_id, password=present, field="present", now=now)
    passwords.accept(new, email=account.email, field="new")
    password_hash = passwords.hashed(new)
    with database.writing() as session:
        known(session, account_id).password_hash = password_hash
        sessions.end_others(session, account_id, secret)
        tokens.revoke_all(session, account_id, now=now)


def vouch(
    database: Database, account_id: AccountId, *, password: str, field: str, now: datetime
) -> Account:
    """Have the person behind a session show that it is them, by their present password.

    Args:
        field: of the form, which a wrong password is told beside.
    Raises: WrongPassword, TooManyAttempts, TooManyHashes, NoAccount.
    Effects: uses sessions of its own, as `sign_in` does, and for the same reasons.
    """
    tried = limits.subject("change password", str(account_id))
    with database.writing() as session:
        limits.count(session, tried, limits.PASSWORD_AGAIN, now=now)
        account = known(session, account_id)
    if not passwords.matches(password, account.password_hash):
        message = _("This is not your present password.")
        raise WrongPassword(message, fields={field: message})
    with database.writing() as session:
        limits.forgive(session, tried)
    return account


def known(session: Session, account_id: AccountId) -> Account:
    """The account with this id, locked for a change. Raises: NoAccount."""
    account = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise NoAccount(_("There is no such account."))
    return account


def set_locale(session: Session, account_id: AccountId, locale: str) -> None:
    """Remember the language a person wants. Raises: UnknownLocale, NoAccount."""
    if locale not in i18n.locales():
        message = _("This store does not speak that language.")
        raise UnknownLocale(message, fields={"locale": message})
    known(session, account_id).locale = locale


def save_settings(
    session: Session, account_id: AccountId, *, name: str, locale: str, theme: str
) -> None:
    """Change the name people see, language and colours. Raises: UnknownLocale, NoAccount."""
    set_locale(session, account_id, locale)
    set_theme(session, account_id, theme)
    known(session, account_id).name = name


def set_theme(session: Session, account_id: AccountId, wanted: str) -> None:
    """Remember the colours a person wants, for browsers to come. Raises: NoAccount."""
    known(session, account_id).theme = wanted if wanted in theme.THEMES else None


def save_choices(
    session: Session, account_id: AccountId, *, has_own_rows: bool, ads_fit_app: bool
) -> None:
    """Change what may be chosen by what a person does here. Raises: NoAccount.

    Args:
        has_own_rows: whether the first page may follow what they have run.
        ads_fit_app: whether advertisements may be chosen by the app in which they stand.
    """
    account = known(session, account_id)
    account.has_own_rows, account.ads_fit_app = has_own_rows, ads_fit_app


def become_developer(session: Session, account_id: AccountId) -> None:
    """Let a person publish apps; nothing happens when they may already. Raises: NoAccount."""
    known(session, account_id).is_developer = True


def house_account(session: Session, *, now: datetime) -> Account:
    """The store itself, as the publisher of the apps it ships with. Nobody can sign in as it."""
    account = session.get(Account, HOUSE_ID)
    if account is None:
        account = Account(
            id=HOUSE_ID,
            email=HOUSE_EMAIL,
            name="Caravan",
            is_developer=True,
            is_operator=True,
            created_at=now,
        )
        session.add(account)
        session.flush()  # rows that point at the account need it in the database first
    return account


def operators(session: Session) -> Sequence[AccountId]:
    """The people who run this store; the house, which cannot sign in, is none of them."""
    rows = session.exec(
        select(Account.id).where(
            col(Account.is_operator).is_(True),
            col(Account.is_closed).is_(False),
            col(Account.password_hash).is_not(None),
        )
    ).all()
    return [AccountId(key) for key in rows]


def has_operator(session: Session) -> bool:
    """Whether a person who can sign in runs this store."""
    return bool(operators(session))


def new_setup_link(session: Session, *, now: datetime) -> str:
    """The secret of a link that makes an operator, even beside others; earlier links end."""
    return _new_link(session, adds_another=True, now=now)


def first_setup_secret(session: Session, *, now: datetime) -> str | None:
    """The secret of a link for the first operator; earlier links end. None when there is one."""
    return None if has_operator(session) else _new_link(session, adds_another=False, now=now)


def _new_link(session: Session, *, adds_another: bool, now: datetime) -> str:
    secret = new_secret()
    session.exec(delete(SetupLink))
    session.add(
        SetupLink(
            secret_hash=fingerprint(secret),
            adds_another=adds_another,
            created_at=now,
            expires_at=now + timedelta(seconds=SETUP_LINK_S),
        )
    )
    return secret


def usable_link(session: Session, secret: str, *, now: datetime) -> SetupLink:
    """The link with this secret, locked, if it still makes an operator. Raises: BadSetupLink."""
    link = session.exec(
        select(SetupLink)
        .where(SetupLink.secret_hash == fingerprint(secret), col(SetupLink.expires_at) > now)
        .with_for_update()
    ).first()
    if link is None or (not link.adds_another and has_operator(session)):
        raise BadSetupLink(
            _(
                "This link does not work any more. Whoever runs the store makes a new one with"
                " the command: marketplace setup-link"
            )
        )
    return link


def use_setup_link(
    database: Database,
    secret: str,
    *,
    email: str,
    name: str,
    password: str,
    visitor: Visitor,
    now: datetime,
) -> SignedIn:
    """Make an operator and sign them in; the link is used up.

    Raises: BadSetupLink, BadEmail, WeakPassword, EmailTaken, TooManyAttempts, TooManyHashes.
    Effects: uses sessions of its own, as `sign_in` does, and for the same reasons.
    """
    address = normalised_email(email)
    passwords.accept(password, email=address)
    with database.writing() as session:
        limits.count(session, _by_address("setup", visitor), limits.SETUP_BY_ADDRESS, now=now)
    with database.reading() as session:
        usable_link(session, secret, now=now)
        _check_free(session, address)
    password_hash = passwords.hashed(password)
    with database.writing() as session:
        session.delete(usable_link(session, secret, now=now))
        account = _new_account(
            session,
            email=address,
            name=name,
            password_hash=password_hash,
            is_developer=True,
            is_operator=True,
            created_at=now,
        )
        opened = sessions.open_session(session, account.id, visitor=visitor, now=now)
    return SignedIn(account, opened)
