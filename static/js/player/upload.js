/**
 * Says that a file is too large before it is sent: a server that refuses it in the middle cannot always say so.
 *
 * <input type="file" data-max="536870912" data-max-words="537 MB">
 */
(() => {
  const input = document.querySelector("input[type=file][data-max]");
  input?.addEventListener("change", () => {
    const tooLarge = [...input.files].some((file) => file.size > Number(input.dataset.max));
    input.setCustomValidity(tooLarge ? `This file is larger than the ${input.dataset.maxWords} that are allowed.` : "");
    input.reportValidity();
  });
})();
