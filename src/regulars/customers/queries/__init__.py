"""Reading customers. Every id asked for may be that of any of a customer's records; answers speak of the customer."""

from regulars.customers.queries.consent import consent_history, consent_states, consents_of
from regulars.customers.queries.finding import find, matching, page, with_identity
from regulars.customers.queries.identity import (
    IdentityRow,
    RemovedIdentityRow,
    identities,
    identities_of,
    removed_identities,
)
from regulars.customers.queries.merge import Agreed, MergePreview, MergeRow, merge_preview, merges
from regulars.customers.queries.note import NoteRow, notes, removed_notes
from regulars.customers.queries.profile import Card, ChangeRow, Profile, by_ids, get, profile_changes, stores
from regulars.customers.queries.record import (
    RecordRow,
    erased_since,
    live_root,
    members,
    records,
    records_after,
    root_of,
    roots_of,
)
from regulars.customers.queries.sharing import SharedIdentity, shared_identities
from regulars.customers.queries.tag import TagRow, all_tags, tag_names, tagged, tags, tags_of

__all__ = [
    "Agreed", "Card", "ChangeRow", "IdentityRow", "MergePreview", "MergeRow", "NoteRow", "Profile", "RecordRow",
    "RemovedIdentityRow", "SharedIdentity", "TagRow", "all_tags", "by_ids", "consent_history", "consent_states",
    "consents_of", "erased_since", "find", "get", "identities", "identities_of", "live_root", "matching", "members",
    "merge_preview", "merges", "notes", "page", "profile_changes", "records", "records_after", "removed_identities",
    "removed_notes", "root_of", "roots_of", "shared_identities", "stores", "tag_names", "tagged", "tags", "tags_of",
    "with_identity",
]  # fmt: skip
