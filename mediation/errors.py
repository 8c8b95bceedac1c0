"""Every way the engine says no, in sentences for the person who asked; nothing here knows HTTP.

* MediationError
  + Malformed           the request itself is not well formed; nothing was decided
    - KeyReused         the same key came before with another body
  + Refused             a rule of the office or of the ladder says no (the guards are named)
    - NotAllowedNow     the phase, or another guard of the life-cycle, forbids it
    - GroundNotMet      the ladder does not permit this move on this ground
  + NotPermitted        the actor sees it, but his role may not do it
    - TooFine           he is told sums alone, and this would set two sums apart by single cases
  + NotFound            unknown, or outside what the actor may see: the two look the same
  + Conflict            somebody else wrote first; the current version is told
  + OutcomeUnknown      the store did not answer in time; repeat with the same key
  + ReadModelBehind     the read model has not reached the asked position yet
  + ReadModelParked     the read model keeps this stream aside after a fault
  + PositionUnknown     the position is ahead of the log, or belongs to another log
  + Unsafe              the process must not start, or must stop, with this setting or store
    - UnknownEvent      the log holds an event that this version cannot read
    - KeyMissing        a key is gone though no erasure in the log says so
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec


class Sentence(msgspec.Struct, frozen=True):
    """One sentence in Chinese and in English, addressed to the person who asked."""

    zh: str
    en: str


class Refusal(msgspec.Struct, frozen=True):
    """One guard that did not hold: a stable kebab-case code and what to do about it."""

    code: str
    zh: str
    en: str


class FieldFault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a body is malformed: a JSON pointer and a stable code, never the value.

    `table` is the code table to choose from, where a code of one was expected.
    """

    pointer: str
    code: str
    table: str | None = None


class MediationError(Exception):
    """The root of all errors the engine raises on purpose.

    Args:
        zh, en: what to do next, in both languages; never a value that somebody typed in.
        code: stable kebab-case code; defaults to the class's own.
    """

    code = "error"
    title = Sentence("操作未能完成", "The request could not be carried out")

    def __init__(self, zh: str = "", en: str = "", *, code: str | None = None) -> None:
        super().__init__(en or self.title.en)
        if code is not None:
            self.code = code
        self.detail = Sentence(zh or self.title.zh, en or self.title.en)


class Malformed(MediationError):
    """The request is not well formed: nothing was decided and nothing was written."""

    code = "malformed"
    title = Sentence("提交的内容不符合格式要求", "The request is not well formed")

    def __init__(
        self, zh: str = "", en: str = "", *, faults: tuple[FieldFault, ...] = (), code: str = ""
    ) -> None:
        super().__init__(zh, en, code=code or None)
        self.faults = faults


@contextmanager
def pointing(*places: tuple[str, str]) -> Iterator[None]:
    """Point at where something was typed in, if what was made of it turns out malformed.

    Args:
        places: how pointers may begin (patterns), and what stands there instead; the first that
            fits. A pointer that none fits stays as it is.
    """
    try:
        yield
    except Malformed as error:
        # What was typed in once may have been written into several fields.
        error.faults = tuple(dict.fromkeys(_placed(fault, places) for fault in error.faults))
        raise


def _placed(fault: FieldFault, places: tuple[tuple[str, str], ...]) -> FieldFault:
    for begins, place in places:
        pointer, is_there = re.subn(rf"^{begins}", place, fault.pointer)
        if is_there:
            return msgspec.structs.replace(fault, pointer=pointer)
    return fault


class KeyReused(Malformed):
    """The idempotency key was used before for a different request."""

    code = "key-reused"
    title = Sentence("幂等键已用于另一请求", "The idempotency key was used for another request")


class Refused(MediationError):
    """A rule says no. `refusals` names every guard that did not hold, in order."""

    code = "refused"
    title = Sentence("按规则不能办理", "Refused by a rule")

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__(
            zh=" ".join(refusal.zh for refusal in refusals),
            en=" ".join(refusal.en for refusal in refusals),
        )
        self.refusals = refusals


class NotAllowedNow(Refused):
    """The case is not in a phase, or not in a state, in which this can be done."""

    code = "not-allowed-now"
    title = Sentence("不符合办理条件", "The conditions for this are not met")


class GroundNotMet(Refused):
    """The ladder does not permit this move between these levels on this ground."""

    code = "ground-not-met"
    title = Sentence("不符合提请条件", "The ladder does not permit this move")


class NotPermitted(MediationError):
    """The actor may see the thing, but no role he holds may do this to it."""

    code = "not-permitted"
    title = Sentence("您没有办理此事项的权限", "Your role may not do this")


class TooFine(NotPermitted):
    """The actor is told sums alone; two sums as close as this allows would tell of single cases."""

    code = "too-fine"
    title = Sentence("查询范围过细", "Asked for more finely than your role may")


class NotFound(MediationError):
    """There is no such thing, or the actor may not see it; the answer is the same."""

    code = "not-found"
    title = Sentence("未找到，或不在您的查看范围内", "Not found, or outside what you may see")


class Conflict(MediationError):
    """The stream moved on before this command; `current_version` says where it stands."""

    code = "stale-version"
    title = Sentence("案件已被他人更新", "The case has moved on")

    def __init__(self, *, current_version: int) -> None:
        super().__init__(
            zh="请重新打开案件，核对最新情况后再提交。",
            en="Read the case again, check what changed, and submit anew.",
        )
        self.current_version = current_version


class OutcomeUnknown(MediationError):
    """The store did not confirm; the command may or may not have been recorded."""

    code = "outcome-unknown"
    title = Sentence("暂时无法确认是否已记录", "It is not known yet whether this was recorded")

    def __init__(self) -> None:
        super().__init__(
            zh="请稍后用同一个 Idempotency-Key 重新提交，系统不会重复记录。",
            en="Repeat the request with the same Idempotency-Key; it is never recorded twice.",
        )


class ReadModelBehind(MediationError):
    """The read model is still catching up with the position that was asked for."""

    code = "read-model-behind"
    title = Sentence("查询数据尚在更新", "The read model is still catching up")


class ReadModelParked(MediationError):
    """This stream is set aside in the read model after a fault; operators are told."""

    code = "read-model-parked"
    title = Sentence("该案件的查询数据暂停更新", "The read model has set this stream aside")


class PositionUnknown(MediationError):
    """The asked position lies ahead of the log or belongs to another log."""

    code = "position-unknown"
    title = Sentence("所给位置不属于本日志", "The position does not belong to this log")


class Unsafe(MediationError):
    """The process refuses to start, or stops, rather than run in this state."""

    code = "unsafe"
    title = Sentence("运行条件不安全，已拒绝启动", "Unsafe to run; refused")


class UnknownEvent(Unsafe):
    """The log holds a topic or version that this release does not know."""

    code = "unknown-event"
    title = Sentence(
        "日志中有本版本无法识别的事件", "The log holds an event this release cannot read"
    )


class KeyMissing(Unsafe):
    """A sealed value cannot be opened although the log records no erasure: an alarm."""

    code = "key-missing"
    title = Sentence("密钥缺失且无删除记录", "A key is missing without a recorded erasure")
