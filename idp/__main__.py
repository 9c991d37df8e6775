"""python -m idp."""

import sys


def main() -> None:
    """Start the command, or say in a sentence that lxml and xmlsec do not fit together."""
    try:
        from idp.saml.native import check_pair

        check_pair()
        from idp.cli.main import run
    except ImportError as problem:
        sys.exit(
            f"idp: {problem}.\n"
            "     The installed packages are not the ones of requirements.lock. Run: make clean run"
        )
    run()


if __name__ == "__main__":
    main()
