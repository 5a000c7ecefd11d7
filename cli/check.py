"""`cloister check`: does this machine compute what the exporting machine computed?"""

import json
import sys
from collections import Counter

from .options import (
    AsJson,
    BundleFolder,
    BundleId,
    Identity,
    MinVersion,
    Provider,
    ProviderName,
    PublicKey,
    VariantName,
    unseal,
)


def check(
    bundle: BundleFolder,
    provider: ProviderName = Provider.auto,
    variant: VariantName = None,
    identity: Identity = None,
    public_key: PublicKey = None,
    min_version: MinVersion = 0,
    bundle_id: BundleId = None,
    as_json: AsJson = False,
) -> None:
    """Replay the golden inputs on this machine; exit 1 when they do not hold.

    int8 results may differ between processor generations: run this where the bundle will serve.
    Example: cloister check sentiment
    """
    from ..runtime.engine import Options
    from ..runtime.loading import check_golden

    options = Options(provider=provider.value, variant=variant)
    result, engine = check_golden(bundle, options, unseal(identity, public_key, min_version, bundle_id))
    if as_json:
        fields = {
            "holds": result.holds,
            "inputs": result.inputs,
            "largest_difference": result.largest_difference,
            "tolerance": result.tolerance,
            "variant": engine.variant.name,
            "provider": engine.provider,
            "selection": engine.selection,
            "operators": dict(Counter(node.provider for node in engine.nodes)),
            "digest": engine.digest,
        }
        sys.stdout.write(json.dumps(fields) + "\n")
    result.require()
    if not as_json:
        sys.stdout.write(
            f"holds: {result.inputs} golden inputs differ by at most {result.largest_difference:.3g} "
            f"(tolerated {result.tolerance:.3g}), {engine.variant.name} on {engine.provider} ({engine.selection})\n"
        )
