"""What everybody stands on: clock, ids, money, errors, languages. No Django, nothing of the business."""
