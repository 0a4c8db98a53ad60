"""Reward specs by name or by file, for every command and setting that takes one."""

from pathlib import Path

from reward_server.reward.spec import RewardSpec, SpecError, load_preset, preset_names, read_spec


def find_spec(name_or_file: str) -> RewardSpec:
    """The preset of that name, or the spec in that TOML file. Raises SpecError."""
    if name_or_file in preset_names():
        return load_preset(name_or_file)
    path = Path(name_or_file)
    if path.suffix != ".toml":
        raise SpecError(f"no preset {name_or_file!r}; there are {', '.join(preset_names())}, or name a .toml file")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(f"{name_or_file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{name_or_file}: not UTF-8: {error.reason} at byte {error.start}") from None
    spec = read_spec(text, name_or_file)
    if spec.name in preset_names() and spec.digest != load_preset(spec.name).digest:
        raise SpecError(f"{name_or_file}: name: {spec.name!r} is a preset that scores otherwise; choose another name")
    return spec
