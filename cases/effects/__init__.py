"""Did it help? Process figures first, then estimates with intervals and what they do not show."""
