from panels import curve, draw, margins

x, logits, targets = margins(-4, 6, classes=2)
draw(x, {f"γ = {g:g}": curve(logits, targets, focal_gamma=g) for g in (0.0, 0.5, 1.0, 2.0, 5.0)},
     "logit of the target, one other 0", names=("loss", "gradient of the target's logit"))
