"""Pure statistics on numpy arrays: customer lifetime value, intervals. No Django, no files, nothing of the business."""
