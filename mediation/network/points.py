"""Service points: opening and closing a body, and what it may do; who works there is elsewhere."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from mediation.codes import DIGEST as CODES_DIGEST
from mediation.codes import REF as CODES_REF
from mediation.errors import FieldFault, Malformed, Refusal, Refused
from mediation.kernel import Command, Decision, Event, decides, evolves, stored_as
from mediation.ladder import Ladder
from mediation.network.facts import OfficeFacts
from mediation.network.state import Body, Capacity, ConfirmationRoute, NetworkState
from mediation.privacy import PRINTABLE

_BODY_ID = r"^[a-z0-9][a-z0-9-]{1,62}$"

_NUMBER_PREFIX = r"[0-9A-Za-z\u4e00-\u9fff-]{1,24}"
BodyId = Annotated[str, Meta(pattern=_BODY_ID, examples=["dongcheng"])]
_SAID = rf"{PRINTABLE}\S"
_PREFIX = rf"{PRINTABLE}[^\s/|]+$"
BodyName = Annotated[str, Meta(min_length=1, max_length=80, pattern=_SAID)]
NumberPrefix = Annotated[str, Meta(max_length=24, pattern=_PREFIX, examples=["DC"])]
Citation = Annotated[str, Meta(max_length=200, pattern=_SAID, examples=["L-LDMA 10(3)"])]


class OpenServicePoint(Command, frozen=True, kw_only=True):
    """Open a mediation body as a service point, below its parent or, without one, at the top.

    `body_id` is chosen for good: it stands in addresses and in the path that decides who sees a
    case. `kind` and `branch` are codes of the level; `number_prefix` begins every case number.
    """

    stream_kind: ClassVar[str] = "network"

    body_id: BodyId
    name_zh: BodyName
    name_en: BodyName
    level: str
    branch: str | None = None
    kind: str
    parent_id: str | None = None
    number_prefix: NumberPrefix
    opened_on: date | None = None


@decides(OpenServicePoint)
def open_service_point(
    network: NetworkState, command: OpenServicePoint, facts: OfficeFacts
) -> Decision:
    """Refuse a taken id or number prefix, a place the ladder does not have, a closed parent."""
    if not re.fullmatch(_BODY_ID, command.body_id):
        # Scope compares paths made of these ids: a slash in one would move the body in the tree.
        raise Malformed(
            zh="调解组织编码由小写字母、数字和连字符组成，2至63位，且不以连字符开头。",
            en="A body id has 2 to 63 lower-case letters, digits and hyphens, no hyphen first.",
            faults=(FieldFault("/body_id", "body-id"),),
            code="body-id",
        )
    if not re.fullmatch(_NUMBER_PREFIX, command.number_prefix):
        # Case numbers are read aloud and compared by eye: nothing invisible in them.
        raise Malformed(
            zh="案号字头由汉字、字母、数字和连字符组成，最多24个字符。",
            en="A number prefix has up to 24 letters, digits, Chinese characters or hyphens.",
            faults=(FieldFault("/number_prefix", "number-prefix"),),
            code="number-prefix",
        )
    opened_on = command.opened_on or facts.occurred_on
    parent = network.body(command.parent_id) if command.parent_id is not None else None
    refusals = [*_taken(network, command), *_misplaced(facts.ladder, command, parent)]
    if parent is not None and not parent.is_open(opened_on):
        refusals.append(
            Refusal(
                "parent-closed",
                "上级组织在开设之日未在运行，请改选上级组织或调整开设日期。",
                "The parent is not open on that day; choose another parent or another day.",
            )
        )
    if refusals:
        raise Refused(*refusals)
    return Decision.of(
        facts.stream,
        ServicePointOpened(
            **facts.stamp(ServicePointOpened),
            of_body_id=command.body_id,
            parent_id=command.parent_id,
            path=f"{parent.path if parent else '/'}{command.body_id}/",
            level=command.level,
            branch=command.branch,
            kind=command.kind,
            name_zh=command.name_zh,
            name_en=command.name_en,
            number_prefix=command.number_prefix,
            opened_on=opened_on,
            ladder_ref=facts.ladder.ref,
            ladder_digest=facts.ladder.digest,
            codes_ref=CODES_REF,
            codes_digest=CODES_DIGEST,
        ),
    )


def _taken(network: NetworkState, command: OpenServicePoint) -> list[Refusal]:
    refusals = []
    if command.body_id in network.bodies:
        refusals.append(
            Refusal(
                "body-id-taken",
                "该编码已被使用（含已撤销的组织），请另选编码。",
                "This id is taken, perhaps by a body closed since; choose another.",
            )
        )
    # A case number is never used twice, so neither is a prefix, not even that of a closed body.
    if any(body.number_prefix == command.number_prefix for body in network.bodies.values()):
        refusals.append(
            Refusal(
                "number-prefix-taken",
                "该案号字头已被使用，请另选字头。",
                "This prefix of case numbers is taken; choose another.",
            )
        )
    return refusals


def _misplaced(ladder: Ladder, command: OpenServicePoint, parent: Body | None) -> list[Refusal]:
    if not ladder.has_level(command.level):
        return [
            Refusal(
                "level-unknown",
                "现行层级规则没有这一层级，请从所列层级中选择。",
                "The ladder in force has no such level; choose one that it lists.",
            )
        ]
    level = ladder.level(command.level)
    refusals = []
    if parent is None and not ladder.is_top(command.level):
        refusals.append(
            Refusal(
                "parent-missing",
                "只有最高一级的组织可以不设上级，请填写上级组织。",
                "Only a body at the top of the ladder has no parent; name the parent.",
            )
        )
    if parent is not None and not (
        ladder.has_level(parent.level) and ladder.rank(parent.level) > ladder.rank(command.level)
    ):
        refusals.append(
            Refusal(
                "parent-not-higher",
                "上级组织的层级必须高于本组织，请改选上级组织或层级。",
                "The parent has to stand at a higher level; choose another parent or level.",
            )
        )
    branches = {branch.code for branch in level.branches}
    if command.branch not in branches and (branches or command.branch is not None):
        refusals.append(
            Refusal(
                "branch-unknown",
                "所填类别不属于该层级；该层级不分类别的不填，分类别的须选其一。",
                "Choose one of the level's branches; leave it out where the level has none.",
            )
        )
    if command.kind not in {kind.code for kind in level.bodies}:
        refusals.append(
            Refusal(
                "kind-unknown",
                "该层级没有这一组织类型，请从层级规则所列类型中选择。",
                "The level has no such kind of body; choose one that the ladder lists for it.",
            )
        )
    return refusals


@stored_as("network.service-point-opened")
class ServicePointOpened(Event, frozen=True, kw_only=True):
    """A mediation body was opened at its place in the network; the public sees a service point."""

    of_body_id: str
    parent_id: str | None
    path: str
    level: str
    branch: str | None
    kind: str
    name_zh: str
    name_en: str
    number_prefix: str
    opened_on: date
    ladder_ref: str
    ladder_digest: str
    codes_ref: str
    codes_digest: str


@evolves(ServicePointOpened)
def _(network: NetworkState, event: ServicePointOpened) -> NetworkState:
    return network.with_body(
        Body(
            body_id=event.of_body_id,
            name_zh=event.name_zh,
            name_en=event.name_en,
            level=event.level,
            branch=event.branch,
            kind=event.kind,
            parent_id=event.parent_id,
            path=event.path,
            number_prefix=event.number_prefix,
            opened_on=event.opened_on,
        )
    )


class CloseServicePoint(Command, frozen=True, kw_only=True):
    """Close a body; `closed_on` is the first day it no longer works."""

    stream_kind: ClassVar[str] = "network"

    body_id: str
    closed_on: date | None = None


@decides(CloseServicePoint)
def close_service_point(
    network: NetworkState, command: CloseServicePoint, facts: OfficeFacts
) -> Decision:
    """Refuse to close twice, before the opening, or over the head of bodies still open."""
    body = network.body(command.body_id)
    closed_on = command.closed_on or facts.occurred_on
    if body.closed_on is not None:
        raise Refused(
            Refusal(
                "already-closed",
                "该服务点已经撤销，无需再次办理。",
                "The service point is closed already; nothing is left to do.",
            )
        )
    refusals = []
    if closed_on < body.opened_on:
        refusals.append(
            Refusal(
                "closed-before-opened",
                "撤销日期不得早于开设日期，请更正日期。",
                "It cannot close before it was opened; correct the day.",
            )
        )
    if any(
        c.closed_on is None or closed_on < c.closed_on for c in network.children_of(body.body_id)
    ):
        refusals.append(
            Refusal(
                "children-open",
                "其下仍有运行中的服务点，请先撤销下级服务点。",
                "Service points below it are still open; close those first.",
            )
        )
    if refusals:
        raise Refused(*refusals)
    return Decision.of(
        facts.stream,
        ServicePointClosed(
            **facts.stamp(ServicePointClosed), of_body_id=body.body_id, closed_on=closed_on
        ),
    )


@stored_as("network.service-point-closed")
class ServicePointClosed(Event, frozen=True, kw_only=True):
    """A mediation body was closed; its cases, numbers and history stay.

    `closed_on` is the first day on which it no longer works.
    """

    of_body_id: str
    closed_on: date


@evolves(ServicePointClosed)
def _(network: NetworkState, event: ServicePointClosed) -> NetworkState:
    body = network.bodies.get(event.of_body_id)
    if body is None:
        return network
    return network.with_body(msgspec.structs.replace(body, closed_on=event.closed_on))


class SetCapacity(Command, frozen=True, kw_only=True):
    """Settle what a body may do from a day on: see `Capacity` for each field."""

    stream_kind: ClassVar[str] = "network"

    body_id: str
    legal_basis: Citation
    seal: bool
    may_seal: bool
    oral_ok: bool
    confirmation_route: ConfirmationRoute
    single_handed: bool = False
    from_on: date | None = None


@decides(SetCapacity)
def set_capacity(network: NetworkState, command: SetCapacity, facts: OfficeFacts) -> Decision:
    """Refuse a capacity for a day on which the body is not open, or sealing without a seal."""
    body = network.body(command.body_id)
    from_on = command.from_on or facts.occurred_on
    refusals = []
    if not body.is_open(from_on):
        refusals.append(body_not_open())
    if command.may_seal and not command.seal:
        refusals.append(
            Refusal(
                "no-seal",
                "没有印章的组织不能盖章，请先刻制印章或取消盖章权限。",
                "A body without a seal cannot seal; enter its seal or leave sealing out.",
            )
        )
    if refusals:
        raise Refused(*refusals)
    return Decision.of(
        facts.stream,
        CapacitySet(
            **facts.stamp(CapacitySet),
            of_body_id=body.body_id,
            capacity=Capacity(
                legal_basis=command.legal_basis,
                seal=command.seal,
                may_seal=command.may_seal,
                oral_ok=command.oral_ok,
                confirmation_route=command.confirmation_route,
                single_handed=command.single_handed,
                from_on=from_on,
            ),
        ),
    )


@stored_as("network.capacity-set")
class CapacitySet(Event, frozen=True, kw_only=True):
    """It was settled what a body may do, by which law, and from which day."""

    of_body_id: str
    capacity: Capacity


@evolves(CapacitySet)
def _(network: NetworkState, event: CapacitySet) -> NetworkState:
    body = network.bodies.get(event.of_body_id)
    if body is None:
        return network
    capacities = (*body.capacities, event.capacity)
    return network.with_body(msgspec.structs.replace(body, capacities=capacities))


def body_not_open() -> Refusal:
    """Say that a body is not open on the day something is to begin there."""
    return Refusal(
        "body-not-open",
        "该组织在生效之日未在运行，请核对组织或日期。",
        "The body is not open on that day; check the body or the day.",
    )
