"""Buying and giving back in the browser, from the price to the statement."""

from html import unescape

from flask import Flask
from sqlmodel import select

from marketplace.billing.jobs import handlers
from marketplace.billing.models import FeeScheme, Line, Order, OrderState
from marketplace.infra.db import Database
from marketplace.infra.jobs import Job, JobContext
from marketplace.kernel.clock import utc_now
from marketplace.kernel.ids import new_id
from marketplace.web.auth import Actor
from tests.billing.shop_app import Browser
from tests.factories.accounts import make_account
from tests.factories.ads import make_flight, make_offer
from tests.factories.billing import make_actor, make_operator, make_order, make_product_for_sale
from tests.web.small_app import People


def do_jobs(database: Database) -> None:
    """What the worker would do."""
    with database.reading() as session:
        waiting = session.exec(select(Job).where(Job.name == "billing.handle_event")).all()
    for job in waiting:
        handlers()[job.name](JobContext(database, job.payload, utc_now()))


def _shopper(database: Database) -> Actor:
    with database.writing() as session:
        return make_actor(make_account(session))


def test_a_person_buys_an_app_with_play_money_and_gives_it_back(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        product = make_product_for_sale(session)
    browser = Browser(shop, people, _shopper(empty_database))

    assert "$4.99" in browser.read(f"/checkout/{product.id}")
    till = browser.send(f"/checkout/{product.id}")
    page = browser.read(till)
    assert "Play money" in page
    order = browser.send(till, answer="pay")
    waiting = browser.read(order)
    assert "Waiting for the payment" in waiting
    assert 'data-controller="refresh"' in waiting
    assert browser.send(till, answer="pay") == order
    do_jobs(empty_database)
    paid = unescape(browser.read(order))
    assert "It is yours" in paid
    assert "$4.2415" in paid
    assert "$0.7485" in paid
    assert "Paid" in browser.read("/purchases")

    assert browser.send(f"{order}/refund") == order
    assert browser.send(f"{order}/refund") == order
    assert "Given back" in browser.read(order)
    with empty_database.reading() as session:
        assert session.exec(select(Order)).one().state is OrderState.REFUNDED
        letters = session.exec(select(Job).where(Job.name == "infra.send_mail")).all()
    assert sorted(letter.payload["subject"] for letter in letters) == [
        "Your receipt for Helpdesk",
        "Your refund for Helpdesk",
    ]


def test_a_person_who_declines_pays_nothing_and_may_order_again(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        product = make_product_for_sale(session)
    browser = Browser(shop, people, _shopper(empty_database))
    till = browser.send(f"/checkout/{product.id}")
    order = browser.send(till, answer="decline")
    do_jobs(empty_database)
    assert "Nothing was paid" in browser.read(order)
    browser.read(till, status=303)
    assert browser.send(f"/checkout/{product.id}") != till


def test_who_is_not_signed_in_is_sent_to_sign_in(shop: Flask, people: People) -> None:
    browser = Browser(shop, people)
    for path in (f"/checkout/{new_id()}", "/purchases", f"/orders/{new_id()}", "/portal/earnings"):
        answer = browser.client.get(path)
        assert answer.status_code == 303
        assert answer.location.startswith("/accounts/sign-in")


def test_orders_of_others_and_products_that_are_not_there_are_not_found(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        order = make_order(session)
    stranger = Browser(shop, people, _shopper(empty_database))
    for path in (f"/orders/{order.id}", f"/till/{order.id}", f"/checkout/{new_id()}"):
        stranger.read(path, status=404)
    stranger.send(f"/till/{order.id}", status=404, answer="pay")
    stranger.send(f"/orders/{order.id}/refund", status=404)


def test_only_the_buyer_pays_though_an_operator_may_look(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        order = make_order(session)
        operator = make_operator(session)
    browser = Browser(shop, people, operator)
    browser.read(f"/orders/{order.id}")
    browser.send(f"/till/{order.id}", answer="pay")
    with empty_database.reading() as session:
        assert session.exec(select(Job)).all() == []


def test_what_is_owned_is_not_sold_twice(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        product = make_product_for_sale(session)
        buyer = make_actor(make_account(session))
        make_order(session, product=product, buyer_id=buyer.id, state=OrderState.PAID)
    page = Browser(shop, people, buyer).send(f"/checkout/{product.id}", status=409)
    assert "You already have this" in page


def test_a_developer_reads_what_they_are_owed(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        developer = make_account(session, is_developer=True)
        empty = Browser(shop, people, make_actor(developer)).read("/portal/earnings")
        product = make_product_for_sale(session)
        order = make_order(session, product=product, state=OrderState.PAID)
        make_order(session, product=product, state=OrderState.REFUNDED)
        session.add(FeeScheme(line=Line.APPS, version=2, developer_bps=8250, starts_at=utc_now()))
    assert "Nothing earned yet" in empty
    owner = Actor(
        id=order.developer_id,
        name="Omar",
        email="omar@example.org",
        roles=make_actor(developer).roles,
        locale=None,
    )
    page = unescape(Browser(shop, people, owner).read("/portal/earnings"))
    assert "$4.2415" in page
    assert "-$4.2415" in page
    assert "82.5 %" in page


def test_shoppers_see_neither_statements_nor_the_book(
    empty_database: Database, shop: Flask, people: People
) -> None:
    browser = Browser(shop, people, _shopper(empty_database))
    browser.read("/portal/earnings", status=403)
    browser.read("/admin/ledger", status=403)


def test_an_operator_reads_the_book_and_that_it_is_in_balance(
    empty_database: Database, shop: Flask, people: People
) -> None:
    with empty_database.writing() as session:
        operator = make_operator(session)
    browser = Browser(shop, people, operator)
    assert "Nothing was booked yet" in browser.read("/admin/ledger")
    with empty_database.writing() as session:
        order = make_order(session, state=OrderState.PAID)
        for _ in range(13):
            make_order(session, state=OrderState.REFUNDED)
        make_flight(session)
        make_offer(session)
    page = browser.read("/admin/ledger")
    assert "in balance" in page
    assert "Till (play money)" in page
    assert f"Developer {str(order.developer_id)[-6:]}" in page
    assert "Campaign" in page
    assert "set aside" in page
    assert f"order:{order.id}:paid" in browser.read("/admin/ledger?page=2")
