// Links whose target is a state of the page, not an address.

// Listens for the link to the view, and for those that set the filter, such as the chip of failed trials.
export function startLinks(state) {
  // As a link it would put `#main` in the place of the state.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  document.addEventListener("click", (event) => {
    const text = event.target.closest?.("[data-filter]")?.dataset.filter;
    if (text === undefined) return;
    event.preventDefault();
    state.set({ filter: text, view: "table", page: 1 });
  });
}
