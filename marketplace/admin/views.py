"""The operator's desk, and the addresses that machines watch."""

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue

from marketplace.admin import queries
from marketplace.admin.doctor import Patient
from marketplace.infra import migrations
from marketplace.kernel.clock import utc_now
from marketplace.web.auth import operator_only
from marketplace.web.edge import db


def blueprint(patient: Patient) -> Blueprint:
    """The desk's pages over the parts of this store."""
    bp = Blueprint("admin", __name__)

    @bp.get("/admin/")
    @operator_only
    def overview() -> ResponseReturnValue:
        """The whole store at a glance."""
        page = queries.overview(db(), patient, now=utc_now())
        return render_template("admin/overview.html", page=page)

    @bp.get("/livez")
    def alive() -> ResponseReturnValue:
        """Whether this process answers at all."""
        return jsonify(status="ok")

    @bp.get("/readyz")
    def ready() -> ResponseReturnValue:
        """Whether the store can serve: the database is reachable and at its newest revision."""
        at_head = migrations.current(patient.database) == migrations.head()
        return jsonify(status="ok" if at_head else "migrating"), 200 if at_head else 503

    return bp
