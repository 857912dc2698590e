"""Churn: when, why and by which door a client leaves, what it costs and which part of it is service.

=============================  =======================================================================
:class:`ChurnModel`            learned from durations and events; incidence by cause and horizon, survival,
                               lifetime, drivers in words, the service-driven share, what-if
:func:`alerts`                 a pure ranking by expected loss, at the capacity of the team
:class:`Alerts`                whom to call, why, and who was left out
``compute_*``, ``plot_*``      incidence over time, shapes of drivers
=============================  =======================================================================
"""

from __future__ import annotations

from ._alerts import Alerts, alerts
from ._model import ChurnModel
from ._plots import (
    compute_driver_shape,
    compute_incidence_curves,
    plot_driver_shape,
    plot_incidence_curves,
)
from ._service import SERVICE_PREFIXES, service_features

__all__ = [
    "SERVICE_PREFIXES",
    "Alerts",
    "ChurnModel",
    "alerts",
    "compute_driver_shape",
    "compute_incidence_curves",
    "plot_driver_shape",
    "plot_incidence_curves",
    "service_features",
]
