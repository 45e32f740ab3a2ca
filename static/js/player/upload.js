/**
 * Refuses a file that is too large before it is sent: a server that refuses it halfway cannot
 * always say why.
 *
 * <input type="file" data-max="536870912" data-max-words="537 MB">
 */
(() => {
  const input = document.querySelector("input[type=file][data-max]");
  input?.addEventListener("change", () => {
    const tooLarge = [...input.files].some((file) => file.size > Number(input.dataset.max));
    const refusal = `This file is too large. Choose one of up to ${input.dataset.maxWords}.`;
    input.setCustomValidity(tooLarge ? refusal : "");
    input.reportValidity();
  });
})();
