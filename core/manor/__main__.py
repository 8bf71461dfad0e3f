"""The `manor` command, also as `python -m manor`."""

import gc


def run() -> None:
    """Run the command that the arguments name, and exit with its code."""
    # What is imported stays to the end. Looking through it for garbage again and again, and once more at the end, was a
    # quarter of the time that a command takes to start.
    gc.set_threshold(50_000, 20, 20)
    from manor.cli import main

    try:
        main(prog_name="manor")
    finally:
        gc.freeze()


if __name__ == "__main__":
    run()
