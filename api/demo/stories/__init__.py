"""The stories of the demo, in the order in which they are shown."""

from api.demo.stories import climb, eight_workers, one_form, restaurant, two_machines

STORIES = (
    two_machines.STORY,
    restaurant.STORY,
    eight_workers.STORY,
    climb.STORY,
    one_form.STORY,
)
