"""What each site is to hold: demand, its forecast, placement, the nightly plans and from whom to fetch them."""
