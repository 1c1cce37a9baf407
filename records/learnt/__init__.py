"""What training learnt of a cohort and a bundle carries: fences, references, calibration, intervals."""
