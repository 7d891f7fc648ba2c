// Who is logged in, and the way out; whoever needs no login sees neither.

import * as api from "./api.js";

export async function showOperator(button) {
  const operator = await api.operator().catch(() => null);
  if (!operator || operator.name === "local") return;
  button.textContent = `Log out ${operator.name}`;
  button.title = `logged in with the role ${operator.role}`;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await api.logOut();
    location.reload();
  });
}
