from panels import curve, draw, margins

x, logits, targets = margins(-4, 12)
draw(x, {f"ε = {e:g}": curve(logits, targets, label_smoothing=e) for e in (0.0, 0.05, 0.1, 0.2)},
     "logit of the target, nine others 0", names=("loss", "gradient of the target's logit"))
