// Asks for name and password, and shows the page once steering has taken them.
const notice = document.getElementById("notice");

async function logIn(event) {
  event.preventDefault();
  notice.hidden = true;
  const body = JSON.stringify({
    name: document.getElementById("name").value.trim(),
    password: document.getElementById("password").value,
  });
  try {
    const response = await fetch("/v1/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (response.ok) {
      if (location.pathname.startsWith("/page/")) location.assign("/console");
      else location.reload();
      return;
    }
    const problem = await response.json();
    tell(response.status === 429 ? `${problem.title}: ${problem.remedy}` : problem.title);
  } catch {
    tell("Steering cannot be reached");
  }
}

function tell(what) {
  notice.textContent = what;
  notice.hidden = false;
  document.getElementById("password").select();
}

document.getElementById("login").addEventListener("submit", logIn);
