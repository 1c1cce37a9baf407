"""Validate a policy: within itself and against its contract."""

from collections.abc import Iterator

from records.contract import Better, Contract, Feature, Kind
from records.files.toml_file import Key
from scoring.policy.parts import PolicyFields, Rule

Fault = tuple[tuple[Key, ...], str]


def faults_within(policy: PolicyFields) -> Iterator[Fault]:
    """Yield what is wrong within the policy itself: order of the tiers, ids, owners.

    Returns:
        Location of the key, as in `records.files.toml_file.line_of_keys`, and what was expected.
    """
    yield from _tier_faults(policy)
    yield from _capacity_faults(policy)
    yield from _case_faults(policy)
    names = [tier.name for tier in policy.tiers]
    ids = [rule.id for rule in policy.rules]
    for index, rule in enumerate(policy.rules):
        at: tuple[Key, ...] = ("rules", index)
        if rule.id in ids[:index]:
            yield (*at, "id"), f"the id '{rule.id}' is used twice"
        if rule.owner not in policy.owners:
            known = ", ".join(policy.owners) or "none yet"
            yield (*at, "owner"), f"'{rule.owner}' is no key of [owners] ({known})"
        for tier in rule.tiers or ():
            if tier == names[0]:
                yield (*at, "tiers"), f"the lowest tier, '{tier}', never gets a recommendation"
            elif tier not in names:
                yield (*at, "tiers"), f"'{tier}' is no tier ({', '.join(names[1:])})"


def _case_faults(policy: PolicyFields) -> Iterator[Fault]:
    names = [tier.name for tier in policy.tiers[1:]]
    for name in policy.opens_case or ():
        if name not in names:
            yield ("opens_case",), f"'{name}' is no tier above the lowest ({', '.join(names)})"
    if policy.praise is not None and policy.praise.owner not in policy.owners:
        known = ", ".join(policy.owners) or "none yet"
        yield ("praise", "owner"), f"'{policy.praise.owner}' is no key of [owners] ({known})"
    choices = [rule.choice for rule in policy.rules]
    for index, choice in enumerate(choices):
        if choice is not None and choices.count(choice) == 1:
            why = f"only one rule has the choice '{choice}'; a choice needs at least two"
            yield ("rules", index, "choice"), why


def _tier_faults(policy: PolicyFields) -> Iterator[Fault]:
    names = [tier.name for tier in policy.tiers]
    if policy.tiers[0].from_ != 0:
        yield ("tiers", 0, "from"), "the lowest tier must start at 0"
    for index in range(1, len(names)):
        if policy.tiers[index].from_ <= policy.tiers[index - 1].from_:
            yield ("tiers", index, "from"), "must be above the tier before it: lowest tier first"
        if names[index] in names[:index]:
            yield ("tiers", index, "name"), f"the name '{names[index]}' is used twice"


def _capacity_faults(policy: PolicyFields) -> Iterator[Fault]:
    if policy.capacity is None:
        return
    names = [tier.name for tier in policy.tiers[1:]]
    for name in policy.capacity:
        if name not in names:
            yield ("capacity", name), f"'{name}' is no tier above the lowest ({', '.join(names)})"
    if missing := [name for name in names if name not in policy.capacity]:
        yield ("capacity",), f"the tier '{missing[0]}' needs a share too"
    elif sum(policy.capacity.values()) >= 1:
        yield ("capacity",), "the shares must leave something for the lowest tier"


def faults_against_contract(policy: PolicyFields, contract: Contract) -> Iterator[Fault]:
    """Yield each place of `policy` that `contract` contradicts, with the reason.

    Returns:
        Location of the key, as in `records.files.toml_file.line_of_keys`, and what was expected.
    """
    if policy.contract != contract.name:
        yield ("contract",), f"the records follow the contract '{contract.name}'"
        return
    periods = contract.periods
    if policy.minimum.periods > periods.maximum:
        yield ("minimum", "periods"), f"a record has {periods.maximum} {periods.name}s at most"
    actionable = [feature.name for feature in contract.features if feature.actionable]
    for index, rule in enumerate(policy.rules):
        at: tuple[Key, ...] = ("rules", index)
        if rule.feature not in contract.feature_names:
            known = ", ".join(actionable)
            yield (*at, "feature"), f"'{rule.feature}' is no feature of the contract ({known})"
            continue
        if rule.feature not in actionable:
            why = (
                f"'{rule.feature}' is not actionable by the contract: it cannot be changed, so no "
                f"recommendation may rest on it (actionable: {', '.join(actionable) or 'none'})"
            )
            yield (*at, "feature"), why
            continue
        for key in ("window", "at_least"):
            if (getattr(rule, key) or 0) > periods.maximum:
                yield (*at, key), f"a record has {periods.maximum} {periods.name}s at most"
        for key, why in _against_feature(rule, contract.feature(rule.feature)):
            yield (*at, key), why


def _against_feature(rule: Rule, feature: Feature) -> Iterator[tuple[str, str]]:
    kind, numeric = feature.kind, feature.kind is Kind.NUMERIC
    directed = (
        rule.worse_than is not None
        or rule.measure == "trend"
        or rule.standard_deviations is not None
    )
    if rule.measure == "gap":
        return
    if not numeric and (rule.measure == "trend" or rule.standard_deviations is not None):
        yield "measure", f"a {kind} feature has no mean or slope; use `worse_than` or `is_any`"
    elif not numeric and rule.depth > 1:
        yield "window", f"a {kind} feature has no mean: its level is the last observed value"
    elif directed and feature.better is Better.NEITHER:
        key = "worse_than" if rule.worse_than is not None else "measure"
        yield key, "the contract does not define which direction of this feature is better"
    elif rule.is_any is not None:
        yield from _levels(rule, feature)
    elif rule.worse_than is not None:
        yield from _target(rule.worse_than, feature)


def _levels(rule: Rule, feature: Feature) -> Iterator[tuple[str, str]]:
    if feature.kind is Kind.NUMERIC:
        yield "is_any", "a numeric feature has no levels; use `worse_than`"
    elif feature.kind is Kind.FLAG:
        if not all(isinstance(value, bool) for value in rule.is_any or ()):
            yield "is_any", "a flag is true or false (without quotes)"
    elif any(value not in feature.levels for value in rule.is_any or ()):
        yield "is_any", f"each must be {feature.expected}"


def _target(target: float | str, feature: Feature) -> Iterator[tuple[str, str]]:
    if feature.kind is Kind.ORDINAL:
        worst = feature.levels[0 if feature.better is Better.HIGHER else -1]
        if target not in feature.levels:
            yield "worse_than", f"must be {feature.expected}"
        elif target == worst:
            yield "worse_than", f"nothing is worse than '{worst}'"
    elif feature.kind is not Kind.NUMERIC:
        yield "worse_than", f"a {feature.kind} feature has no order; use `is_any`"
    elif isinstance(target, str):
        yield "worse_than", "must be a number"
    else:
        low, high = feature.lower_bound, feature.upper_bound
        within = low < target <= high if feature.better is Better.HIGHER else low <= target < high
        if not within:
            why = f"must be {feature.expected}, and not the worst of them: nothing is worse"
            yield "worse_than", why
