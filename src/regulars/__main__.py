from regulars.cli import main

if __name__ == "__main__":  # a process begun anew by another one imports this too
    main()
