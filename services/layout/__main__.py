"""How is the layout service put together? `python -m services.layout` runs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from planogram.layout.v1 import layout_pb2_grpc
from services.common import pseudonyms
from services.common.callers import Role
from services.common.server import Service, main
from services.layout import columns, upstreams, wire
from services.layout.admission import Admission
from services.layout.composer import Composer
from services.layout.configuration import LiveConfiguration
from services.layout.event_log import EventLog
from services.layout.fallback import LastGood
from services.layout.promises import Promises
from services.layout.relay import Relay
from services.layout.rules import auction, holding, matching, order, steps
from services.layout.servicer import LayoutServicer
from services.layout.settings import LayoutSettings
from services.layout.tokens import Signer
from services.layout.upstreams import ModelDirectory


@contextlib.asynccontextmanager
async def open_servicer(settings: LayoutSettings) -> AsyncIterator[LayoutServicer]:
    """A servicer with its configuration read, its log open and its upstreams connected."""
    for part in (columns, auction, holding, matching, order, steps, wire):
        await asyncio.to_thread(part.warm_up)
    configuration = LiveConfiguration(settings.config_path, settings.configuration_archive)
    admission = Admission(
        signer=Signer(pseudonyms.load_secret(settings.signing_key_path)),
        pseudonyms=pseudonyms.load(settings.shopper_key_path),
        token_ttl_s=settings.token_ttl_s,
    )
    services = upstreams.connect(settings)
    event_log = EventLog(settings.log_path, settings.exposure_queue_size)
    models = ModelDirectory(services.scoring.upstream)
    relay = Relay(event_log, services.feature.upstream)
    promises = Promises(settings.promises_path, settings.log_path, configuration)
    last_good = LastGood(settings.last_good_path)
    await models.update()
    composer = Composer(
        configuration=configuration,
        admission=admission,
        services=services,
        models=models,
        last_good=last_good,
        event_log=event_log,
        promises=promises,
    )
    configuration.follow()
    promises.follow()
    try:
        yield LayoutServicer(
            composer,
            relay,
            settings.default_deadline_ms / 1e3,
            settings.profile_wait_ms / 1e3,
            settings.export_folder,
        )
    finally:
        await promises.close()
        await configuration.close()
        await relay.close()
        await models.close()
        event_log.close()
        last_good.close()
        for guarded in (services.feature, services.scoring, services.policy):
            await guarded.upstream.close()


SERVICE = Service(
    name="layout",
    full_name="planogram.layout.v1.LayoutService",
    add_to_server=layout_pb2_grpc.add_LayoutServiceServicer_to_server,
    methods=("ComposePage", "StreamPage", "RecordEvents", "ForgetShopper", "ExplainPage", "GetConfiguration"),
    open=open_servicer,
    roles={
        "ComposePage": Role.PUBLIC,
        "StreamPage": Role.PUBLIC,
        "RecordEvents": Role.PUBLIC,
        "ForgetShopper": Role.ADMIN,
        "ExplainPage": Role.ADMIN,
        "GetConfiguration": Role.ADMIN,
    },
    settings=LayoutSettings,
)

if __name__ == "__main__":
    main(SERVICE)
