// Begins a visit as soon as another shopper is chosen. Without it the button does.
const persona = document.getElementById("persona");
persona.addEventListener("change", () => persona.form.submit());
