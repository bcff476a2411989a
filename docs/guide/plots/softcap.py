from panels import curve, draw, margins

x, logits, targets = margins(-60, 60)
draw(x, {"none" if c is None else f"c = {c:g}": curve(logits, targets, softcap=c) for c in (None, 5.0, 15.0, 30.0)},
     "logit of the target, nine others 0", names=("loss", "gradient of the target's logit"))
