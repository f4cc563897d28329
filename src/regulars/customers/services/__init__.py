"""Changing what is known of customers: who is who, profiles, consent, tags, notes; erasing and exporting a person.

One module per use case. Each function checks the capability, changes and records the event, in one transaction.
"""

from regulars.customers.services.by_hand import (
    RemovedIdentity,
    add_customer,
    add_identity,
    remove_identity,
    restore_identity,
)
from regulars.customers.services.consent import give_consent, undo_consent, withdraw_consent
from regulars.customers.services.erase import Person, anonymous, erase, person
from regulars.customers.services.export import export_person
from regulars.customers.services.importing import CustomerRow, ImportOutcome, import_customers
from regulars.customers.services.merging import merge, unmerge
from regulars.customers.services.notes import (
    add_note,
    add_notes,
    delete_note,
    delete_notes,
    restore_note,
    restore_notes,
)
from regulars.customers.services.profile import Contested, undo_profile_change, update_profile
from regulars.customers.services.resolve import Claim, erased_until, resolve
from regulars.customers.services.sharing import ask_again, settle_identity
from regulars.customers.services.stores import save_store
from regulars.customers.services.tags import Tagged, Untagged, retag, tag, undo_tag, untag

__all__ = [
    "Claim",
    "Contested",
    "CustomerRow",
    "ImportOutcome",
    "Person",
    "RemovedIdentity",
    "Tagged",
    "Untagged",
    "add_customer",
    "add_identity",
    "add_note",
    "add_notes",
    "anonymous",
    "ask_again",
    "delete_note",
    "delete_notes",
    "erase",
    "erased_until",
    "export_person",
    "give_consent",
    "import_customers",
    "merge",
    "person",
    "remove_identity",
    "resolve",
    "restore_identity",
    "restore_note",
    "restore_notes",
    "retag",
    "save_store",
    "settle_identity",
    "tag",
    "undo_consent",
    "undo_profile_change",
    "undo_tag",
    "unmerge",
    "untag",
    "update_profile",
    "withdraw_consent",
]
