from panels import curve, draw, margins

x, logits, targets = margins(-6, 8)
draw(x, {f"s = {s:g}": curve(logits, targets, logit_scale=s) for s in (1.0, 0.25, 0.5, 2.0)},
     "logit of the target, nine others 0", names=("loss", "gradient of the target's logit"))
