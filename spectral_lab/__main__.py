"""``python -m spectral_lab`` is the console command."""

from spectral_lab.cli import main

raise SystemExit(main())
