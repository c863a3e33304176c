// Runs in the page once it has loaded. Listens on the document, because the parts of the page are drawn again
// whenever something new is stored.
() => {
    const tell = (event) => {
        const button = event.target.closest(".strip button");
        if (button) {
            button.closest("section").querySelector(".told").textContent = button.ariaLabel;
        }
    };

    // One of the buttons is reached by Tab, the others from there by the arrow keys
    const move = (event) => {
        const button = event.target.closest(".strip button");
        const steps = {
            ArrowLeft: button?.previousElementSibling,
            ArrowRight: button?.nextElementSibling,
            Home: button?.parentElement.firstElementChild,
            End: button?.parentElement.lastElementChild,
        };
        const next = steps[event.key];
        if (button && next) {
            event.preventDefault();
            button.tabIndex = -1;
            next.tabIndex = 0;
            next.focus();
        }
    };

    document.addEventListener("mouseover", tell);
    document.addEventListener("focusin", tell);
    document.addEventListener("keydown", move);
}
