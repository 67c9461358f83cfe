from components._command import main

raise SystemExit(main("systems"))
