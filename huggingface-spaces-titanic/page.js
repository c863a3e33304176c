// Runs in the page once it has loaded. Gradio draws its parts again whenever they change, so an observer follows.
() => {
    const set = (element, name, value) => {
        if (element && element.getAttribute(name) !== value) {
            element.setAttribute(name, value);
        }
    };

    // For screen readers and keyboards. Gradio gives groups of radio buttons no name, and renames the buttons of a
    // group each time it draws them, after which the arrow keys no longer move between them
    const nameParts = () => {
        for (const group of document.querySelectorAll("fieldset")) {
            const name = group.querySelector("[data-testid=block-info]").textContent.trim();
            set(group, "role", "radiogroup");
            set(group, "aria-label", name);
            for (const button of group.querySelectorAll("input")) {
                set(button, "name", name);
            }
        }
        for (const [id, name] of [["form", "Passenger"], ["result", "Prediction"]]) {
            set(document.getElementById(id), "role", "region");
            set(document.getElementById(id), "aria-label", name);
        }
        set(document.getElementById("verdict"), "aria-live", "polite");
    };

    // The address follows the passenger shown
    const followPassenger = () => {
        const shown = document.querySelector("[data-address]");
        const address = new URL(location);
        for (const [name, value] of new URLSearchParams(shown?.dataset.address)) {
            address.searchParams.set(name, value);
        }
        if (address.href !== location.href) {
            history.replaceState(history.state, "", address);
        }
    };

    const copyLink = async (event) => {
        const button = event.target.closest("[data-copy-link]");
        if (button) {
            await navigator.clipboard.writeText(location.href);
            button.nextElementSibling.textContent = "Copied";
        }
    };

    const follow = () => {
        nameParts();
        followPassenger();
    };
    document.addEventListener("click", copyLink);
    const observer = new MutationObserver(follow);
    observer.observe(document.body, {subtree: true, childList: true, attributeFilter: ["name", "data-address"]});
    follow();
}
