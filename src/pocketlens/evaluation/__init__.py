"""Accuracy: data sets, missing rates with their intervals, paired comparisons, receipts."""
