"""Cases, interventions, reassessment and effects: the domain and its store, without HTTP."""
