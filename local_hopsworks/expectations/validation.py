"""Validation reports: what the client found when it held rows against a feature group's expectation
suite."""

from __future__ import annotations

import json
import operator
import time
from typing import Any

import sqlalchemy as sa

from local_hopsworks.errors import HopsworksError, NotEmbedded, NotFound
from local_hopsworks.expectations import shapes
from local_hopsworks.expectations.errors import VALIDATION_REPORT_NOT_FOUND
from local_hopsworks.expectations.suites import parsed
from local_hopsworks.expectations.tables import validation_reports, validation_results
from local_hopsworks.feature_store import feature_groups as groups
from local_hopsworks.http.answers import Answer, items
from local_hopsworks.http.calls import Call
from local_hopsworks.http.routing import Routes

routes = Routes()
PATH = groups.PATH + "/{id}/validationreport"
_INGESTION_RESULTS = ("INGESTED", "REJECTED", "UNKNOWN", "EXPERIMENT", "FG_DATA")
_NEWEST_FIRST = "validation_time:desc"
_TIMES = {"validation_time_gte": operator.ge, "validation_time_lte": operator.le}  # ms since 1970


def documents(call: Call, group: int) -> list[dict[str, Any]]:
    """All reports of a feature group, newest first."""
    query = validation_reports.select().where(validation_reports.c.parent_id == group)
    return [
        _document(call, row)
        for row in call.db.execute(query.order_by(validation_reports.c.id.desc()))
    ]


def _document(call: Call, row: sa.Row[Any]) -> dict[str, Any]:
    results = call.db.execute(
        validation_results.select()
        .where(validation_results.c.parent_id == row.id)
        .order_by(validation_results.c.id)
    )
    return {
        **row.document,
        "id": row.id,
        "featurestoreId": call.project.id,
        "featuregroupId": row.parent_id,
        "results": [_result(result, row.document) for result in results],
    }


def _result(row: sa.Row[Any], report: dict[str, Any]) -> dict[str, Any]:
    return {
        **row.document,
        "id": row.id,
        "expectationId": row.expectation_id,
        "validationReportId": row.parent_id,
        "validationTime": report["validationTime"],
        "ingestionResult": report["ingestionResult"],
    }


def missed(report: dict[str, Any]) -> list[str]:
    """The types of the expectations that a report says were not met."""
    results = (result for result in report["results"] if not result["success"])
    return [
        str(json.loads(result["expectationConfig"]).get("expectation_type")) for result in results
    ]


@routes.add("PUT", PATH, body=shapes.VALIDATION_REPORT)
def save(call: Call) -> Answer:
    """The client asks the answer whether to insert the rows: `ingestionResult` REJECTED keeps them
    out."""
    group, body = groups.find(call, call.integer("id")), call.document
    ingestion = str(body.get("ingestionResult") or "UNKNOWN").upper()
    if ingestion not in _INGESTION_RESULTS:
        raise HopsworksError(
            f"An ingestion result is {', '.join(_INGESTION_RESULTS)}, not {ingestion[:40]!r}."
        )
    if not isinstance(body.get("success"), bool) or not isinstance(body.get("results"), list):
        raise HopsworksError("A validation report says success and lists results.")
    texts = ("statistics", "evaluationParameters", "meta")
    document = {
        "success": body["success"],
        "ingestionResult": ingestion,
        "validationTime": int(time.time() * 1000),
        **{key: json.dumps(parsed(body.get(key), key)) for key in texts},
    }
    inserted = validation_reports.insert().values(parent_id=group.id, document=document)
    report = call.db.execute(inserted.returning(*validation_reports.c)).one()
    for result in body["results"]:
        _save_result(call, report, result)
    return _document(call, report)


def _save_result(call: Call, report: sa.Row[Any], result: dict[str, Any]) -> None:
    config = parsed(result.get("expectationConfig"), "expectationConfig")
    expectation = parsed(config.get("meta"), "meta").get("expectationId")
    if not isinstance(expectation, int | None):
        raise HopsworksError(
            f"expectationId must be a whole number, not {str(expectation)[:80]!r}."
        )
    texts = ("exceptionInfo", "expectationConfig", "result", "meta")
    document = {
        "success": bool(result.get("success")),
        **{key: json.dumps(parsed(result.get(key), key)) for key in texts},
    }
    call.db.execute(
        validation_results.insert().values(
            parent_id=report.id, document=document, expectation_id=expectation
        )
    )


@routes.add("GET", PATH, options=["sort_by", "offset", "limit", "fields"])
def get_all(call: Call) -> Answer:
    """The reports of a feature group, newest first."""
    if call.option("sort_by") not in (None, _NEWEST_FIRST):
        raise NotEmbedded(f"validation reports sorted by {call.option('sort_by')!r}")
    found = documents(call, groups.find(call, call.integer("id")).id)
    return items(found[call.page()])


@routes.add("DELETE", PATH + "/{report}")
def delete(call: Call) -> Answer:
    """Remove a report with its results."""
    group = groups.find(call, call.integer("id"))
    same = (
        validation_reports.c.id == call.integer("report"),
        validation_reports.c.parent_id == group.id,
    )
    if not call.db.execute(validation_reports.delete().where(*same)).rowcount:
        raise NotFound(
            f"There is no validation report {call.path['report']}.", VALIDATION_REPORT_NOT_FOUND
        )
    return None


@routes.add(
    "GET",
    groups.PATH + "/{id}/validationresult/history/{expectation}",
    options=["filter_by", "sort_by"],
)
def history(call: Call) -> Answer:
    """How one expectation fared in all reports, newest first."""
    group = groups.find(call, call.integer("id"))
    results = [
        result
        for report in documents(call, group.id)
        for result in report["results"]
        if result["expectationId"] == call.integer("expectation")
    ]
    wanted: set[str] = set()
    for entry in call.query.getlist("filter_by"):
        name, _, value = entry.partition(":")
        if name == "ingestion_result_eq":
            wanted.add(value)
        elif name in _TIMES and value.isascii() and value.isdigit() and len(value) < 19:
            results = [
                result for result in results if _TIMES[name](result["validationTime"], int(value))
            ]
        else:
            raise NotEmbedded(f"validation results chosen by {entry[:80]!r}")
    return items(
        [result for result in results if not wanted or result["ingestionResult"] in wanted]
    )
