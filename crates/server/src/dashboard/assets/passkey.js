// Asks the browser for a passkey, and puts its answer into the form. The form is shown where browser and page are able to.
"use strict";

const bytes = (text) => new TextEncoder().encode(text);
const decoded = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const encoded = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function used(form) {
  const publicKey = {
    challenge: decoded(form.elements.challenge.value),
    rpId: location.hostname,
    userVerification: "required",
  };
  const { rawId, response } = await navigator.credentials.get({ publicKey });
  return { id: rawId, client: response.clientDataJSON, authenticator: response.authenticatorData, signature: response.signature };
}

async function made(form) {
  const { user, handle, known } = form.dataset;
  const publicKey = {
    challenge: decoded(form.elements.challenge.value),
    rp: { id: location.hostname, name: "Ambit" },
    user: { id: bytes(handle), name: user, displayName: user },
    pubKeyCredParams: [-7, -257].map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: known.split(" ").filter(Boolean).map((id) => ({ type: "public-key", id: decoded(id) })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
    attestation: "none",
  };
  const { rawId, response } = await navigator.credentials.create({ publicKey });
  return { id: rawId, client: response.clientDataJSON, authenticator: response.getAuthenticatorData(), key: response.getPublicKey() };
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) break;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const failed = document.querySelector("[data-passkey-failed]");
    failed.hidden = true;
    try {
      const answer = await (form.dataset.passkey === "use" ? used : made)(form);
      for (const [name, value] of Object.entries(answer)) form.elements[name].value = encoded(value);
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}
