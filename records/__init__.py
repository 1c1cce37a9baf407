"""What a student's history is: contracts, cohorts, tables and the sources they come from."""
