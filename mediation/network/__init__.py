"""The network of a district: bodies, mediators, accounts and grants; importing it registers all.

What a role may do to a case belongs to `mediation.authority`, what a level is to the ladder.
"""

from mediation.network import accounts, mediators, points
from mediation.network.accounts import (
    AccountOpened,
    AccountState,
    Grant,
    GrantRole,
    OpenAccount,
    RevokeRole,
    Role,
    RoleGranted,
    RoleRevoked,
    account_stream,
)
from mediation.network.facts import OfficeFacts
from mediation.network.mediators import (
    AppointMediator,
    AppointmentEnded,
    EndAppointment,
    MediatorAppointed,
)
from mediation.network.points import (
    CapacitySet,
    CloseServicePoint,
    OpenServicePoint,
    ServicePointClosed,
    ServicePointOpened,
    SetCapacity,
)
from mediation.network.state import (
    Appointment,
    Body,
    Capacity,
    ConfirmationRoute,
    NetworkState,
    network_stream,
)

CHAPTERS = (points, mediators, accounts)

__all__ = [
    "CHAPTERS",
    "AccountOpened",
    "AccountState",
    "AppointMediator",
    "Appointment",
    "AppointmentEnded",
    "Body",
    "Capacity",
    "CapacitySet",
    "CloseServicePoint",
    "ConfirmationRoute",
    "EndAppointment",
    "Grant",
    "GrantRole",
    "MediatorAppointed",
    "NetworkState",
    "OfficeFacts",
    "OpenAccount",
    "OpenServicePoint",
    "RevokeRole",
    "Role",
    "RoleGranted",
    "RoleRevoked",
    "ServicePointClosed",
    "ServicePointOpened",
    "SetCapacity",
    "account_stream",
    "network_stream",
]
