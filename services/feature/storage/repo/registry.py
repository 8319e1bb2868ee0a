"""Which definitions does Feast's registry hold, and may they replace those of before?"""

from __future__ import annotations

from pathlib import Path

from feast import FeatureStore
from feast.errors import FeatureViewNotFoundException

from services.common.errors import Incompatible
from services.feature.storage.repo.definitions import Definitions


def register(feast: FeatureStore, definitions: Definitions, state_path: Path) -> None:
    """Registers the definitions and makes the online store's tables.

    Raises:
        Incompatible: where a registered feature has another type; Feast itself would accept the new type
            silently and fail on rows that are stored already.
    """
    for view in definitions.views:
        try:
            registered = feast.get_feature_view(view.name)
        except FeatureViewNotFoundException:
            continue
        types = {field.name: str(field.dtype) for field in registered.features}
        for field in view.features:
            found = types.get(field.name, str(field.dtype))
            if found != str(field.dtype):
                raise Incompatible(
                    f"{state_path}: feature {view.name}.{field.name} is registered as {found} and "
                    f"defined as {field.dtype}: give the feature a new name, or delete {state_path}"
                )
    feast.apply([*definitions.entities, *definitions.pushes, *definitions.views, *definitions.services])
