/** The slider: a precision where the model has thresholds for some, else a least score. */

import { el } from "./dom.js";

/** Build the slider into a place; `changed` is called after every move.
 *  Gives what it asks for: {precision} or {score}, a test for labels, and words. */
export function leastSlider(place, model, changed) {
  const precise = model.precisions.length > 0;
  const name = `${place.id}-range`;
  const shown = el("output", { for: name });
  const slider = el("input", {
    type: "range", id: name, min: 0, value: 0,
    max: precise ? model.precisions.length : 95, step: precise ? 1 : 5,
    oninput: () => { tell(); changed(); },
  });
  const words = () => {
    const step = Number(slider.value);
    if (step === 0) return "all labels";
    return precise ? `${percent(model.precisions[step - 1].precision)} or more` : (step / 100).toFixed(2);
  };
  const tell = () => {
    shown.textContent = words();
    slider.setAttribute("aria-valuetext", words());
  };
  place.replaceChildren(
    el("label", { for: name }, precise ? "Precision: " : "Score at least: ", shown),
    slider,
  );
  tell();
  return {
    request: () => {
      const step = Number(slider.value);
      if (step === 0) return {};
      return precise ? { precision: model.precisions[step - 1].precision } : { min_score: step / 100 };
    },
    keeps: (label) => {
      const step = Number(slider.value);
      if (step === 0) return true;
      return precise ? label.score >= threshold(model.precisions[step - 1], label.frequency) : label.score >= step / 100;
    },
    words: () => (precise ? `a precision of ${percent(model.precisions[Number(slider.value) - 1]?.precision ?? 0)}` : `a score of ${words()}`),
  };
}

const percent = (share) => `${Math.round(100 * share)} %`;

/** The least score of labels that were seen so often. */
function threshold(offer, frequency) {
  const place = offer.edges.findIndex((edge) => frequency <= edge);
  return offer.thresholds[place < 0 ? offer.thresholds.length - 1 : place];
}
