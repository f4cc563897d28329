"""The console: staff's door. What belongs here: addresses, what a page shows, how it looks. No business logic.

An area is a folder with `urls.py` (app_name = the area's name, listed in console/urls.py) and `views.py`; its templates
are in templates/console/<area>/, its entry on the left in navigation.py. A view:

- stands behind `@page(capability=…)` (requests.py) and takes `request: ConsoleRequest`; `request.actor` is whom
  services act for; what only changes things adds `@require_POST`, answers with a redirect (`back`) or an htmx fragment;
- calls services and queries, renders; keeps filters in the address, pages by key (`{% pager following %}` reads and
  writes `?after=`), never counts what it doesn't show;
- lets a Problem pass where nothing was typed (the middleware tells it: a page, or a toast for htmx); a form catches it
  and renders itself again with `problem`, what was typed, and status=problem.status: `{% invalid problem "name" %}`
  inside the input's tag, `{% fault problem "name" %}` under it;
- says what was done with `toast(request, Text(…), undo=address, fields={…})`, after a redirect or htmx request alike.

A template extends console/frame/base.html and fills title, heading, lead (<p>), actions, content, scripts. Pages with
charts put `{% include "console/frame/_charts.html" %}` into scripts. `{% load i18n regulars %}` gives money, number,
percent, day, month, moment, ago, exact; change, explained, icon, chart, spark, stage, group, empty, query, pager (see
templatetags/regulars.py). Classes: .figures-row, .figure-label/-value/-note, .num, .mark(-good/-warning/-bad), .chips,
.section-head, .panel; `<tr data-href>` opens a row, `<dialog id>` + `data-open`/`data-close`, `data-send` sends a form
on change, `data-copy`. Scripts are files (the policy forbids scripts and hx-on in the page; htmx filters need eval).
"""
