from wampflask.apps.demo.page import blueprint, demo_page


@blueprint.get("/bam/")
def bam() -> str:
    return demo_page("bam")  # Python has no part in it: pages talk to pages
