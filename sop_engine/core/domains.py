"""Decides whether something happened in public (a platform) or in private (the shop's own contacts), by identities and sources."""

from collections.abc import Collection, Iterable, Mapping, Sequence

Identities = Sequence[tuple[str, str]]  # (attribute, public | private), strongest first


def domain_of_source(identities: Identities, source: str) -> str | None:
    """The domain of the identity whose name begins with the source (wecom: wecom_id); None when none or several domains do."""
    word = source.strip().lower()
    found = {domain for name, domain in identities if len(word) >= 2 and name.lower().startswith(word)}
    return found.pop() if len(found) == 1 else None


def domain_of_user(identities: Identities, has: Collection[str], shared: Collection[str] = ()) -> str | None:
    """The domain of the strongest identity a user has of its own; of one it shared with another only when it has no other."""
    for names in ([n for n in has if n not in shared], list(has)):
        found = next((domain for name, domain in identities if name in names), None)
        if found is not None:
            return found
    return None


def domains_of_sources(seen: Iterable[tuple[str, str | None]]) -> Mapping[str, str]:
    """By source: the domain in which it was always seen, from (source, domain) of events whose user is known."""
    found: dict[str, set[str]] = {}
    for source, domain in seen:
        if source and domain is not None:
            found.setdefault(source, set()).add(domain)
    return {source: domains.pop() for source, domains in found.items() if len(domains) == 1}


def collapsed(domains: Iterable[str | None]) -> tuple[str, ...]:
    """The domains in order, repeats left out; what is not known is skipped."""
    path: list[str] = []
    for domain in domains:
        if domain is not None and path[-1:] != [domain]:
            path.append(domain)
    return tuple(path)
