from django.urls import path

from regulars.console.customers import changes, lists, merging, page, sharing

app_name = "customers"
urlpatterns = [
    path("", lists.customers, name="list"),
    path("/add", changes.add, name="add"),
    path("/tag", lists.tag_many, name="tag-many"),
    path("/untag", lists.untag_many, name="untag-many"),
    path("/notes", lists.note_many, name="note-many"),
    path("/notes/delete", lists.delete_notes, name="delete-notes"),
    path("/notes/restore", lists.restore_notes, name="restore-notes"),
    path("/export", lists.export, name="export"),
    path("/exports/<str:job_id>", lists.exported, name="exported"),
    path("/views", lists.save_view, name="save-view"),
    path("/views/<int:id>/remove", lists.remove_view, name="remove-view"),
    path("/shared", sharing.shared, name="shared"),
    path("/shared/<int:id>/settle", sharing.settle, name="settle"),
    path("/shared/<int:id>/again", sharing.ask_again, name="ask-again"),
    path("/<int:id>", page.customer, name="page"),
    path("/<int:id>/timeline", page.timeline, name="timeline"),
    path("/<int:id>/orders", page.orders, name="orders"),
    path("/<int:id>/identity", page.identity, name="identity"),
    path("/<int:id>/tags", changes.tag, name="tag"),
    path("/<int:id>/tags/remove", changes.untag, name="untag"),
    path("/<int:id>/notes", changes.add_note, name="add-note"),
    path("/notes/<int:note_id>/delete", changes.delete_note, name="delete-note"),
    path("/notes/<int:note_id>/restore", changes.restore_note, name="restore-note"),
    path("/<int:id>/consent", changes.consent, name="consent"),
    path("/consent/<int:entry_id>/undo", changes.undo_consent, name="undo-consent"),
    path("/<int:id>/profile", changes.profile, name="profile"),
    path("/changes/<int:change_id>/undo", changes.undo_profile, name="undo-profile"),
    path("/<int:id>/identities", changes.add_identity, name="add-identity"),
    path("/<int:id>/erase", changes.erase, name="erase"),
    path("/<int:id>/export", changes.export_person, name="export-person"),
    path("/<int:id>/merge", merging.merge, name="merge"),
    path("/merges/<int:merge_id>/undo", merging.unmerge, name="unmerge"),
]
