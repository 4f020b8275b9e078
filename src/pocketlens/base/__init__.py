"""What every room stands on: errors, atomic files, progress, tolerances, knobs."""
